-- One row for each settlement sheet: what its own terms make due, term by term, in US$ per dry tonne paid and in US$,
-- the difference of what the sheet says from it, and the one term that explains the difference: that of the first
-- scenario of the seed whose value is the sheet's. UNEXPLAINED: no single term does; NOT_COMPUTABLE: no mass is paid.
-- Two practices have their cost beside them: the protection, and the sequential convention against the contracts' one.
{% set items = [
    'copper', 'credits', 'refining', 'participation', 'treatment', 'penalties', 'assay_fee', 'loading', 'freight'
] %}
with explained as (
    select
        buyer_key,
        settlement_id,
        is_synthetic,
        arg_min(term_code, rank_number) as term_code,
        arg_min(scenario_code, rank_number) as scenario_code
    from {{ ref('int_settlement__scenarios') }}
    where explains
    group by buyer_key, settlement_id, is_synthetic
),

sheets as (
    select
        sheets.*,
        case
            when sheets.difference_usd is null then 'NOT_COMPUTABLE'
            when {{ differs('sheets.value_usd', 'sheets.due_value_usd', 'VALUE') }}
                then coalesce(explained.term_code, 'UNEXPLAINED')
        end as difference_term_code,
        explained.scenario_code as difference_scenario_code,
        codes.lot_key,
        {{ protected_usd_per_t('sheets.copper_usd_per_t', 'sheets.price_protection_usd_per_lb') }}
            as exact_price_usd_per_t,
        {{ payable_cu_pct('sheets.cu_pct', 'sheets.payable_pct', 'sheets.deduction_pct', "'ESTANDAR'") }}
            as standard_payable_cu_pct
    from {{ ref('int_settlement__sheets_valued') }} as sheets
    left join explained
        on {{ same_sheet('sheets', 'explained') }}
    left join {{ ref('int_lot__codes') }} as codes
        on
            sheets.buyer_key = codes.party_key
            and sheets.lot_id = codes.lot_id
            and sheets.is_synthetic = codes.is_synthetic
)

select
    buyer_key,
    settlement_id,
    lot_key,
    lot_id,
    stage_code,
    previous_settlement_id,
    settlement_date,
    product_form_code,
    seller_key,
    invoicing_party_key,
    operator_key,
    reinfo_key,
    invoice_key,
    settled_wmt,
    payable_dmt,
    cu_pct,
    {{ contained('payable_dmt', 'cu_pct') }} as contained_cu_t,
    due_payable_cu_pct as payable_cu_pct,
    {{ contained('payable_dmt', 'due_payable_cu_pct') }} as payable_cu_t,
    quotational_period_code,
    quotation_month,
    copper_usd_per_t,
    due_price_usd_per_t as protected_usd_per_t,
    pen_per_usd,
    {% for item in items %}
        due_{{ item }}_usd_per_dmt as {{ item }}_usd_per_dmt,
        {{ cents(real('due_' ~ item ~ '_usd_per_dmt') ~ ' * payable_dmt') }} as {{ item }}_usd,
    {% endfor %}
    {{ shown_unit_value('due_unit_value_usd_per_dmt') }} as unit_value_recomputed_usd_per_dmt,
    {{ copper_usd_per_dmt('due_payable_cu_pct', 'copper_usd_per_t - exact_price_usd_per_t') }}
        as protection_cost_usd_per_dmt,
    {{ copper_usd_per_dmt('standard_payable_cu_pct - due_payable_cu_pct', 'due_price_usd_per_t') }}
        as convention_cost_usd_per_dmt,
    value_usd,
    due_value_usd as value_recomputed_usd,
    difference_usd,
    difference_term_code,
    difference_scenario_code,
    paid_before_usd,
    invoiced_usd,
    igv_usd,
    advance_usd,
    detraction_base_code,
    detraction_pct,
    detraction_pen,
    detraction_deposit_date,
    to_pay_usd,
    paid_date,
    is_synthetic,
    source_as_of,
    landing_sha256,
    row_number
from sheets
order by is_synthetic, buyer_key, settlement_id
