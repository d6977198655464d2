-- Payments of which the papers do not tell that they took place. Where they lose a lot on its way down or up the chain:
-- what is usually paid beyond that point for copper worth as much (int_lot__profiles), with bounds. Down: from the pit,
-- from the plant's gate, from the store. Up: for a collector's load without its mixing sheet, and for a product without
-- its campaign. And where many papers are missing at all (int_document__named): what is not told of a lot of its own
-- stage may have been paid; it counts as nothing, with what is usually paid as its upper bound.
with told as (
    select
        lot_key,
        kind_code,
        bool_or(ticket_id is not null or sheet_id is not null) as is_documented,
        is_synthetic
    from {{ ref('fct_transfer') }}
    group by lot_key, kind_code, is_synthetic
),

losses as (
    select
        lot_key,
        'NO_' || case end_code when 'PIT' then 'LOAD' when 'LOAD' then 'CAMPAIGN' else 'EXPORT' end as loss_code,
        left_frac,
        is_synthetic
    from {{ ref('int_lot__ends') }}
    where end_code in ('PIT', 'LOAD', 'PRODUCT')

    union all

    select
        lot_key,
        missing_code as loss_code,
        1 as left_frac,
        is_synthetic
    from {{ ref('int_lot__missing') }}
    where missing_code in ('NO_MIX', 'NO_FEED')

    union all

    select
        lots.lot_key,
        'UNTOLD' as loss_code,
        1 as left_frac,
        lots.is_synthetic
    from {{ ref('int_lot__situations') }} as lots
    inner join {{ ref('int_document__named') }} as named
        on lots.is_synthetic = named.is_synthetic
    where named.missing_frac > {{ imputation_rule('PAPERS_MISSING_FRAC') }}
),

lost as (
    select
        losses.lot_key,
        losses.loss_code,
        lots.stage_code,
        lots.deal_code,
        lots.seller_code,
        lots.form_code,
        lots.grade_band_code,
        {{ wide('lots.contained_central_usd') }} * losses.left_frac as contained_central_usd,
        {{ wide('lots.contained_low_usd') }} * losses.left_frac as contained_low_usd,
        {{ wide('lots.contained_high_usd') }} * losses.left_frac as contained_high_usd,
        losses.is_synthetic
    from losses
    inner join {{ ref('int_lot__situations') }} as lots
        on losses.lot_key = lots.lot_key and losses.is_synthetic = lots.is_synthetic
    where lots.contained_central_usd > 0
),

recoveries as (
    select
        'RECOVERY' as kind_code,
        'FED' as base_code,
        lost.lot_key,
        case when lost.stage_code = 'PRODUCT' then '--' else lost.form_code end as feature_1,
        case when lost.stage_code = 'PRODUCT' then '--' else lost.grade_band_code end as feature_2,
        '--' as feature_3,
        '--' as feature_4,
        lost.is_synthetic
    from (
        select distinct
            lot_key,
            stage_code,
            form_code,
            grade_band_code,
            is_synthetic
        from lost
        where loss_code in ('NO_LOAD', 'NO_CAMPAIGN', 'NO_FEED')
    ) as lost
),

{{ ranged_by_cells('recoveries', ref('int_lot__profiles'), prefix='recovery') }},

flows as (
    select distinct
        profiles.kind_code,
        split_part(profiles.kind_code, '/', 1) as stage_code,
        split_part(profiles.kind_code, '/', 2) as transfer_kind_code,
        split_part(profiles.kind_code, '/', 3) as payee_role_code,
        split_part(profiles.kind_code, '/', 4) as payer_role_code,
        profiles.is_synthetic
    from {{ ref('int_lot__profiles') }} as profiles
    where profiles.base_code = 'CONTAINED' and profiles.cell_level = 0
),

-- Where papers tell of the deal, what is of the other one is not paid, however few such lots there are to show it.
of_deal as (
    select
        *,
        {{ deal_of('transfer_kind_code', 'payee_role_code') }} as deal_code
    from flows
),

beyond as (
    select
        lost.lot_key,
        lost.loss_code,
        lost.stage_code as lot_stage_code,
        flows.kind_code,
        'CONTAINED' as base_code,
        flows.stage_code,
        flows.transfer_kind_code,
        flows.payee_role_code,
        flows.payer_role_code,
        case when lost.stage_code = 'PIT' and flows.stage_code <> 'PIT' then '?' else lost.deal_code end as feature_1,
        case
            when flows.stage_code in ('CAMPAIGN', 'PRODUCT') then '--'
            when lost.stage_code = 'PRODUCT' then '?'
            when flows.stage_code = 'PIT' then 'COLLECTOR'
            else lost.seller_code
        end as feature_2,
        lost.form_code as feature_3,
        lost.grade_band_code as feature_4,
        stages.through_code,
        lost.contained_central_usd,
        lost.contained_low_usd,
        lost.contained_high_usd,
        lost.is_synthetic
    from lost
    inner join {{ ref('lot_loss_stages') }} as stages on lost.loss_code = stages.loss_code
    inner join of_deal as flows on stages.stage_code = flows.stage_code and lost.is_synthetic = flows.is_synthetic
    where
        (lost.loss_code <> 'UNTOLD' or lost.stage_code = flows.stage_code)
        and (flows.deal_code is null or lost.deal_code in (flows.deal_code, '?', '--'))
),

-- A lot that is lost beyond a stage is not asked again whether something of that stage is not told.
wanted as (
    select * from (
        select
            beyond.*,
            row_number() over (
                partition by beyond.lot_key, beyond.kind_code, beyond.is_synthetic
                order by case beyond.loss_code when 'UNTOLD' then 2 else 1 end, beyond.loss_code
            ) as choice
        from beyond
        left join told
            on
                beyond.lot_key = told.lot_key
                and beyond.transfer_kind_code = told.kind_code
                and beyond.is_synthetic = told.is_synthetic
        left join told as sales
            on
                beyond.lot_key = sales.lot_key
                and sales.kind_code = 'ORE_AT_PLANT'
                and beyond.is_synthetic = sales.is_synthetic
        where
            (told.lot_key is null or beyond.lot_stage_code <> beyond.stage_code)
            -- Tickets and sheets say who bills and from whom the load came.
            and not (
                beyond.loss_code = 'UNTOLD'
                and beyond.transfer_kind_code in ('BILLER_FEE', 'ORE_BETWEEN_COLLECTORS')
                and coalesce(sales.is_documented, false)
            )
    ) as ranked
    where choice = 1
),

{{ ranged_by_cells('wanted', ref('int_lot__profiles')) }},

based as (
    select
        ranged.*,
        recovery_ranged.ratio_count as recovery_count,
        {% for side, other in [('central', 'central'), ('low', 'high'), ('high', 'low')] -%}
            cast(case ranged.through_code
                when 'RECOVERED' then {{ wide('ranged.contained_' ~ side ~ '_usd') }} * recovery_ranged.{{ side }}_ratio
                when 'NEEDED'
                    then {{ wide('ranged.contained_' ~ side ~ '_usd') }} / nullif(recovery_ranged.{{ other }}_ratio, 0)
                else ranged.contained_{{ side }}_usd
            end as decimal(18, 6)) as base_{{ side }}
            {%- if not loop.last %},
            {% endif %}
        {%- endfor %}
    from ranged
    left join recovery_ranged
        on ranged.lot_key = recovery_ranged.lot_key and ranged.is_synthetic = recovery_ranged.is_synthetic
),

valued as (
    select
        *,
        case
            when loss_code = 'UNTOLD' and low_ratio <= 0 then 0
            else {{ wide('central_ratio') }} * base_central
        end as value_usd,
        {{ amount_low('low_ratio', 'base_low', 'base_high') }} as low_usd,
        {{ amount_high('high_ratio', 'base_low', 'base_high') }} as high_usd
    from based
    -- What no lot of the cell had is not imputed.
    where central_ratio <> 0
)

select
    concat_ws('/', lot_key, kind_code) as transfer_key,
    transfer_kind_code as kind_code,
    lot_key,
    loss_code,
    payee_role_code,
    payer_role_code,
    {{ bounded_usd('value_usd', 'low_usd', 'high_usd') }},
    cast(ratio_count as bigint) as ratio_count,
    'imputed' as value_basis_code,
    is_synthetic
from valued
