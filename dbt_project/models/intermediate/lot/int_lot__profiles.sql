-- What is paid along the chain for each dollar of copper, from origin lots that the papers follow whole and in which every
-- payment is observed. A flow is a kind of payment at a stage (PIT, LOAD, CAMPAIGN, PRODUCT: where it is booked) between
-- two roles, spelt STAGE/KIND/PAYEE/PAYER; lots without it count as zero, so that a flow which is there at times only has
-- a range from zero. Base CONTAINED: the lot's copper at the price of its day; EXPORTED: its exported copper at that price.
with whole_lots as (
    select
        origins.lot_key,
        origins.lot_kind_code,
        origins.form_code,
        origins.grade_band_code,
        {{ usd_of(copper_cents('origins.copper_g', 'origins.reference_copper_usd_per_t')) }} as contained_usd,
        {{ usd_of(copper_cents('origins.exported_g', 'origins.reference_copper_usd_per_t')) }} as exported_usd,
        origins.is_synthetic
    from {{ ref('int_lot__origins') }} as origins
    left join (
        select distinct
            lot_key,
            is_synthetic
        from {{ ref('int_lot__missing') }}
    ) as missing
        on origins.lot_key = missing.lot_key and origins.is_synthetic = missing.is_synthetic
    where missing.lot_key is null
),

paid as (
    select
        allocated.origin_lot_key as lot_key,
        concat_ws(
            '/',
            case lots.lot_kind_code when 'TAILINGS' then 'CAMPAIGN' else lots.lot_kind_code end,
            allocated.kind_code,
            allocated.payee_role_code,
            allocated.payer_role_code
        ) as flow_code,
        allocated.kind_code,
        allocated.value_cents,
        allocated.is_synthetic
    from {{ ref('int_transfer__lots_allocated') }} as allocated
    inner join {{ ref('int_lot__measures') }} as lots
        on allocated.lot_key = lots.lot_key and allocated.is_synthetic = lots.is_synthetic
),

flows as (
    select
        paid.lot_key,
        paid.flow_code,
        {{ usd_of('sum(paid.value_cents)') }} as amount,
        paid.is_synthetic
    from paid
    inner join whole_lots
        on paid.lot_key = whole_lots.lot_key and paid.is_synthetic = whole_lots.is_synthetic
    group by paid.lot_key, paid.flow_code, paid.is_synthetic
),

bought as (
    select distinct
        lot_key,
        is_synthetic
    from paid
    where kind_code = 'ORE_AT_PLANT'
),

featured as (
    select
        whole_lots.lot_key,
        'CONTAINED' as base_code,
        whole_lots.lot_kind_code as feature_1,
        case when bought.lot_key is null then 'TOLL' else 'BOUGHT' end as feature_2,
        whole_lots.form_code as feature_3,
        whole_lots.grade_band_code as feature_4,
        whole_lots.contained_usd as base,
        whole_lots.is_synthetic
    from whole_lots
    left join bought
        on whole_lots.lot_key = bought.lot_key and whole_lots.is_synthetic = bought.is_synthetic

    union all

    select
        whole_lots.lot_key,
        'EXPORTED' as base_code,
        case when bought.lot_key is null then 'TOLL' else 'BOUGHT' end as feature_1,
        '--' as feature_2,
        '--' as feature_3,
        '--' as feature_4,
        whole_lots.exported_usd as base,
        whole_lots.is_synthetic
    from whole_lots
    left join bought
        on whole_lots.lot_key = bought.lot_key and whole_lots.is_synthetic = bought.is_synthetic
),

with_flow as (
    select
        flows.flow_code as kind_code,
        featured.base_code,
        featured.feature_1,
        featured.feature_2,
        featured.feature_3,
        featured.feature_4,
        flows.amount,
        featured.base,
        featured.is_synthetic
    from flows
    inner join featured
        on flows.lot_key = featured.lot_key and flows.is_synthetic = featured.is_synthetic
),

-- Lots without a flow are counted by difference: the cross of lots and flows is never written out.
all_lots as (
    select
        base_code,
        feature_1,
        feature_2,
        feature_3,
        feature_4,
        count(*) as lot_count,
        sum(base) as base,
        is_synthetic
    from featured
    group by base_code, feature_1, feature_2, feature_3, feature_4, is_synthetic
),

lots_with as (
    select
        kind_code,
        base_code,
        feature_1,
        feature_2,
        feature_3,
        feature_4,
        count(*) as lot_count,
        sum(base) as base,
        is_synthetic
    from with_flow
    group by kind_code, base_code, feature_1, feature_2, feature_3, feature_4, is_synthetic
),

kinds as (
    select distinct
        flow_code as kind_code,
        is_synthetic
    from flows
),

without_flow as (
    select
        kinds.kind_code,
        all_lots.base_code,
        all_lots.feature_1,
        all_lots.feature_2,
        all_lots.feature_3,
        all_lots.feature_4,
        cast(0 as decimal(18, 2)) as amount,
        all_lots.base - coalesce(lots_with.base, 0) as base,
        all_lots.lot_count - coalesce(lots_with.lot_count, 0) as lot_count,
        all_lots.is_synthetic
    from all_lots
    inner join kinds on all_lots.is_synthetic = kinds.is_synthetic
    left join lots_with
        on
            kinds.kind_code = lots_with.kind_code
            and all_lots.base_code = lots_with.base_code
            and all_lots.feature_1 = lots_with.feature_1
            and all_lots.feature_2 = lots_with.feature_2
            and all_lots.feature_3 = lots_with.feature_3
            and all_lots.feature_4 = lots_with.feature_4
            and all_lots.is_synthetic = lots_with.is_synthetic
    where all_lots.lot_count > coalesce(lots_with.lot_count, 0)
),

seen as (
    select
        kind_code,
        base_code,
        feature_1,
        feature_2,
        feature_3,
        feature_4,
        amount,
        base,
        1 as lot_count,
        is_synthetic
    from with_flow

    union all

    select
        kind_code,
        base_code,
        feature_1,
        feature_2,
        feature_3,
        feature_4,
        amount,
        base,
        lot_count,
        is_synthetic
    from without_flow
),

{{ ratio_cells('seen', weight='lot_count') }}

select * from cells
