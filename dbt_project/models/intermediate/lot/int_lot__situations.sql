-- By what the payments on a lot are compared with those on others: the stage of the chain at which it stands (tailings
-- stand for their campaign), whether its ore is the plant's or milled for another (deal_code), whether who sells it
-- mined it or gathered it (seller_code), form and grade (? where no paper tells); and its copper at the London price
-- of its day, of a campaign that of all it was fed.
with lines as (
    select
        lot_key,
        contract_kind_code,
        is_heap,
        is_synthetic
    from {{ ref('int_lot__batch_lines') }}

    union all

    -- What no line tells of: tailings by difference, copper that is not accounted for.
    select
        rest_lot_key as lot_key,
        contract_kind_code,
        is_heap,
        is_synthetic
    from {{ ref('int_lot__balances') }}
),

batches as (
    select
        lot_key,
        max(case contract_kind_code when 'COMPRA' then 'BOUGHT' when 'MAQUILA' then 'TOLL' end) as deal_code,
        bool_or(is_heap) as is_mixed,
        is_synthetic
    from lines
    group by lot_key, is_synthetic
),

paid as (
    select
        lot_key,
        max({{ deal_of('kind_code', 'payee_role_code') }}) as deal_code,
        bool_or(payee_role_code = 'COLLECTOR' or payer_role_code = 'COLLECTOR') as has_collector,
        bool_or(
            kind_code = 'ORE_AT_PLANT'
            and payee_role_code = 'OPERATOR'
            and (ticket_id is not null or sheet_id is not null)
        ) as is_operators,
        is_synthetic
    from {{ ref('fct_transfer') }}
    group by lot_key, is_synthetic
),

fed as (
    select
        lot_key,
        max(lot_copper_g) as copper_g,
        is_synthetic
    from {{ ref('int_lot__shares') }}
    where basis_code = 'FEED'
    group by lot_key, is_synthetic
)

select
    lots.lot_key,
    case lots.lot_kind_code when 'TAILINGS' then 'CAMPAIGN' else lots.lot_kind_code end as stage_code,
    case
        when lots.lot_kind_code = 'PIT' then '--'
        else coalesce(batches.deal_code, paid.deal_code, '?')
    end as deal_code,
    case
        when lots.lot_kind_code in ('PRODUCT', 'TAILINGS') then '--'
        when lots.lot_kind_code = 'PIT' or batches.is_mixed or paid.has_collector then 'COLLECTOR'
        when paid.is_operators then 'OPERATOR'
        else '?'
    end as seller_code,
    lots.form_code,
    lots.grade_band_code,
    {% for side in ['central', 'low', 'high'] -%}
        {{ exact_product(
            'coalesce(' ~ tonnes_of('fed.copper_g') ~ ', lots.copper_' ~ side ~ '_t)', 'prices.copper_usd_per_t'
        ) }} as contained_{{ side }}_usd,
    {% endfor -%}
    lots.is_synthetic
from {{ ref('int_lot__measures') }} as lots
left join batches
    on lots.lot_key = batches.lot_key and lots.is_synthetic = batches.is_synthetic
left join paid
    on lots.lot_key = paid.lot_key and lots.is_synthetic = paid.is_synthetic
left join fed
    on lots.lot_key = fed.lot_key and lots.is_synthetic = fed.is_synthetic
left join {{ ref('int_price__daily') }} as prices
    on lots.first_date = prices.price_date and lots.is_synthetic = prices.is_synthetic
