-- Every settlement sheet that holds, valued anew by its own terms, grades and masses. Masses come first: what the sheet
-- pays for stands where it follows, within the sheet's rounding, from wet mass, moisture and handling loss; else what
-- follows from them is taken. What the provisional sheet paid before is no part of what a final sheet invoices.
with held_sheets as (
    select
        sheets.*,
        held.provisional_settlement_id
    from {{ ref('stg_partner_settlements__settlements') }} as sheets
    inner join {{ ref('int_settlement__sheets_held') }} as held
        on {{ same_sheet('sheets', 'held') }}
    where sheets.is_current
),

current_sheets as (
    select
        buyer_key,
        settlement_id,
        stage_code,
        previous_settlement_id,
        provisional_settlement_id,
        settlement_date,
        lot_id,
        product_form_code,
        seller_key,
        invoicing_party_key,
        operator_key,
        reinfo_key,
        invoice_key,
        settled_wmt,
        moisture_pct,
        settled_dmt,
        handling_loss_pct,
        payable_dmt,
        cu_pct,
        as_pct,
        sb_pct,
        bi_pct,
        pb_zn_pct,
        ag_g_per_dmt,
        au_g_per_dmt,
        payability_rule_code,
        payable_pct,
        deduction_pct,
        quotational_period_code,
        quotation_month,
        copper_usd_per_t,
        silver_usd_per_oz,
        gold_usd_per_oz,
        price_protection_usd_per_lb,
        treatment_usd_per_dmt,
        refining_usd_per_lb,
        participation_base_usd_cents_per_lb,
        participation_pct,
        silver_payable_pct,
        silver_deduction_g_per_dmt,
        silver_refining_usd_per_oz,
        gold_payable_pct,
        gold_minimum_g_per_dmt,
        gold_refining_usd_per_oz,
        penalty_terms,
        penalties_usd_per_dmt,
        credits_usd_per_dmt,
        assay_fee_usd,
        loading_usd,
        freight_usd,
        rounding_code,
        unit_value_usd_per_dmt,
        value_usd,
        provisional_pct,
        advance_usd,
        advance_date,
        igv_usd,
        detraction_base_code,
        detraction_pct,
        detraction_pen,
        detraction_deposit_id,
        detraction_deposit_date,
        pen_per_usd,
        to_pay_usd,
        paid_date,
        splitting_limit_pct,
        umpire_rule_code,
        source_as_of,
        is_synthetic,
        landing_sha256,
        row_number
    from held_sheets
),

weighed as (
    select
        *,
        {{ dry_dmt('settled_wmt', 'moisture_pct') }} as due_dmt,
        {{ shown_t(after_loss_dmt(shown_t(dry_dmt('settled_wmt', 'moisture_pct')), 'handling_loss_pct')) }}
            as due_payable_dmt
    from current_sheets
),

sheets as (
    select
        * exclude (payable_dmt, due_payable_dmt),
        payable_dmt as stated_payable_dmt,
        cast(
            case
                when {{ differs('payable_dmt', 'due_payable_dmt', 'PAYABLE_MASS') }} then due_payable_dmt
                else payable_dmt
            end as decimal(14, 6)
        ) as payable_dmt
    from weighed
),

{{ settlement_valued('sheets') }},

provisional as (
    select
        buyer_key,
        settlement_id,
        is_synthetic,
        {{ provisional_usd('value_usd', 'provisional_pct') }} as paid_usd
    from current_sheets
)

select
    valued.*,
    cast(valued.value_usd - valued.due_value_usd as decimal(18, 2)) as difference_usd,
    provisional.paid_usd as paid_before_usd,
    {{ invoiced_usd('valued.stage_code', 'valued.value_usd', 'valued.provisional_pct', 'provisional.paid_usd') }}
        as invoiced_usd
from valued
left join provisional
    on
        valued.buyer_key = provisional.buyer_key
        and valued.provisional_settlement_id = provisional.settlement_id
        and valued.is_synthetic = provisional.is_synthetic
