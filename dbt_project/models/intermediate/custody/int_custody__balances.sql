-- What went into every batch, what came out and what is left, in whole grams: of an export what plants made and what
-- was declared; of a plant's month what was fed, the product, the tailings, and how its stocks grew: of what is in
-- process (closing less opening, by its own lines) and of ore (loads that arrived less loads fed).
with lines as (
    select
        plant_key,
        date_trunc('month', ended_date) as month,
        line_kind_code,
        cast(copper_kg * 1000 as bigint) as copper_g,
        is_synthetic
    from {{ ref('stg_partner_campaigns__lines') }}
    where is_current and contract_kind_code <> 'MEZCLA'
),

plants as (
    select
        plant_key,
        month,
        sum(case line_kind_code when 'ALIMENTACION' then copper_g end) as copper_in_g,
        coalesce(sum(case line_kind_code when 'PRODUCTO' then copper_g end), 0) as copper_out_g,
        coalesce(sum(case line_kind_code when 'RELAVE' then copper_g end), 0) as tailings_g,
        coalesce(
            sum(case line_kind_code when 'STOCK_FINAL' then copper_g when 'STOCK_INICIAL' then -copper_g end), 0
        ) as process_stock_growth_g,
        is_synthetic
    from lines
    group by plant_key, month, is_synthetic
),

received as (
    select
        arrivals.receiver_key as plant_key,
        date_trunc('month', arrivals.arrived_date) as month,
        sum(lots.copper_g) as copper_g,
        arrivals.is_synthetic
    from {{ ref('int_lot__arrivals') }} as arrivals
    inner join {{ ref('dim_lot') }} as lots
        on
            arrivals.lot_key = lots.lot_key
            and arrivals.is_synthetic = lots.is_synthetic
            and arrivals.receiver_key = lots.plant_key
    where lots.lot_kind_code = 'LOAD'
    group by arrivals.receiver_key, date_trunc('month', arrivals.arrived_date), arrivals.is_synthetic
),

exports as (
    select
        batch_key,
        -- Not known where it is not known of every lot: what was declared would close by itself.
        case when count(*) = count(made_copper_g) then sum(made_copper_g) end as copper_in_g,
        sum(declared_copper_g) as copper_out_g,
        is_synthetic
    from {{ ref('int_custody__batches') }}
    where scope_code = 'EXPORT'
    group by batch_key, is_synthetic
),

batches as (
    select
        'PLANT_MONTH' as scope_code,
        plants.plant_key || '|' || substr(cast(plants.month as varchar), 1, 7) as batch_key,
        plants.copper_in_g,
        plants.copper_out_g,
        plants.tailings_g,
        plants.process_stock_growth_g,
        coalesce(received.copper_g, 0) - plants.copper_in_g as ore_stock_growth_g,
        plants.is_synthetic
    from plants
    left join received
        on
            plants.plant_key = received.plant_key
            and plants.month = received.month
            and plants.is_synthetic = received.is_synthetic
    where plants.copper_in_g is not null

    union all

    select
        'EXPORT' as scope_code,
        batch_key,
        copper_in_g,
        copper_out_g,
        null as tailings_g,
        null as process_stock_growth_g,
        null as ore_stock_growth_g,
        is_synthetic
    from exports
)

select
    *,
    copper_in_g - copper_out_g - coalesce(tailings_g, 0) - coalesce(process_stock_growth_g, 0) as closure_g
from batches
