-- Every change of owner and paid service that a voucher or a sheet shows: one row per kind, lot, payee and payer. A
-- sale that is invoiced provisionally and then finally is one row with its final value. The vouchers' sum holds, but
-- the sheet does where they are only a part (a provisional sheet and no final voucher; a final sheet that no final
-- voucher settles and whose value they do not come to, within match_rules' tolerance) or have annulled one another;
-- where both are whole and differ, difference_usd says by how much.
with repeated as (
    select transfer_key
    from {{ ref('int_transfer__vouchers') }}
    group by transfer_key
    having count(*) > 1
),

ordered as (
    select
        vouchers.*,
        row_number() over (
            partition by vouchers.transfer_key
            order by vouchers.part_code <> 'SALE', vouchers.issue_date, vouchers.document_key
        ) as voucher_number
    from {{ ref('int_transfer__vouchers') }} as vouchers
    inner join repeated
        on vouchers.transfer_key = repeated.transfer_key
),

-- Most transfers have one voucher: grouping all would hold every text of every voucher in memory at once.
firsts as (
    select
        vouchers.*,
        1 as voucher_number
    from {{ ref('int_transfer__vouchers') }} as vouchers
    left join repeated
        on vouchers.transfer_key = repeated.transfer_key
    where repeated.transfer_key is null

    union all

    select * from ordered
    where voucher_number = 1
),

later as (
    select
        transfer_key,
        sum(value_usd) as value_usd,
        max(case when part_code = 'ADJUSTMENT' then 1 else 0 end) = 1 as has_adjustment,
        max(case when is_final then 1 else 0 end) = 1 as has_final,
        min(issue_date) as first_date,
        max(issue_date) as last_date,
        count(*) as voucher_count,
        sum(net_amount) as net_amount,
        min(case when currency_code = 'PEN' then 1 else 0 end) = 1 as is_in_pen,
        max(haul_key) as haul_key,
        sum(case when part_code = 'SALE' then quantity_t end) as quantity_t,
        min(match_score) as match_score,
        max({{ method_rank('method_code') }}) as method_rank
    from ordered
    where voucher_number > 1
    group by transfer_key
),

vouched as (
    select
        firsts.transfer_key,
        firsts.kind_code,
        firsts.lot_key,
        firsts.payee_key,
        firsts.payer_key,
        firsts.is_synthetic,
        firsts.value_usd + coalesce(later.value_usd, 0) as voucher_value_usd,
        firsts.part_code = 'ADJUSTMENT' or coalesce(later.has_adjustment, false) as has_adjustment,
        firsts.is_final or coalesce(later.has_final, false) as has_final,
        least(firsts.issue_date, later.first_date) as first_date,
        greatest(firsts.issue_date, later.last_date) as last_date,
        1 + coalesce(later.voucher_count, 0) as voucher_count,
        firsts.document_key as invoice_key,
        firsts.issuer_key as invoicing_party_key,
        case
            when firsts.currency_code = 'PEN' and coalesce(later.is_in_pen, true)
                then firsts.net_amount + coalesce(later.net_amount, 0)
        end as value_pen,
        greatest(firsts.haul_key, later.haul_key) as haul_key,
        -- A sale is before what corrects it: where the first is none, there is none.
        case
            when firsts.part_code = 'SALE'
                then coalesce(firsts.quantity_t + later.quantity_t, firsts.quantity_t, later.quantity_t)
        end as quantity_t,
        least(firsts.match_score, later.match_score) as match_score,
        greatest({{ method_rank('firsts.method_code') }}, later.method_rank) as method_rank
    from firsts
    left join later
        on firsts.transfer_key = later.transfer_key
),

implied as (
    select
        *,
        case when kind_code = 'ORE_BETWEEN_COLLECTORS' then payer_key else '-' end as sold_to
    from {{ ref('int_transfer__implied') }}
),

joined as (
    select
        vouched.transfer_key,
        coalesce(vouched.kind_code, implied.kind_code) as kind_code,
        coalesce(vouched.lot_key, implied.lot_key) as lot_key,
        coalesce(vouched.payee_key, implied.payee_key) as payee_key,
        case when vouched.transfer_key is not null then vouched.payer_key else implied.payer_key end as payer_key,
        coalesce(vouched.is_synthetic, implied.is_synthetic) as is_synthetic,
        coalesce(vouched.invoicing_party_key, implied.invoicing_party_key, implied.payee_key) as invoicing_party_key,
        coalesce(
            implied.operator_key, case when vouched.kind_code = 'ORE_AT_PIT' then vouched.payee_key end
        ) as operator_key,
        implied.reinfo_key,
        implied.expected_date,
        implied.product_form_code,
        coalesce(
            implied.mass_wmt, case when vouched.kind_code = 'ORE_AT_PIT' then vouched.quantity_t end
        ) as mass_wmt,
        implied.mass_dmt,
        implied.cu_pct,
        implied.copper_g,
        implied.sheet_code,
        implied.sheet_id,
        implied.sheet_value_usd,
        implied.ticket_id,
        coalesce(vouched.haul_key, implied.haul_key) as haul_key,
        vouched.voucher_value_usd,
        vouched.value_pen,
        vouched.first_date,
        vouched.last_date,
        vouched.invoice_key,
        coalesce(vouched.voucher_count, 0) as voucher_count,
        vouched.match_score,
        vouched.method_rank,
        coalesce(vouched.has_final, false) as has_final,
        case
            when vouched.transfer_key is null then false
            when vouched.has_final then true
            -- Notes may make a first part the whole.
            when implied.sheet_code in ('FINAL', 'REGULARIZADA')
                then
                    vouched.has_adjustment
                    and abs(vouched.voucher_value_usd - implied.sheet_value_usd)
                    <= rules.value_tolerance_frac * abs(implied.sheet_value_usd)
            when implied.sheet_code = 'PROVISIONAL' then false
            else vouched.voucher_value_usd <> 0 or implied.sheet_value_usd is null
        end as vouchers_are_whole
    from vouched
    full join implied
        on
            vouched.kind_code = implied.kind_code
            and vouched.lot_key = implied.lot_key
            and vouched.is_synthetic = implied.is_synthetic
            and case when vouched.kind_code = 'ORE_BETWEEN_COLLECTORS' then vouched.payer_key else '-' end
            = implied.sold_to
    left join {{ ref('match_rules') }} as rules on vouched.kind_code = rules.match_code
    where
        vouched.transfer_key is not null
        or (implied.sheet_value_usd is not null and implied.payee_key is not null)
),

valued as (
    select
        *,
        case when vouchers_are_whole then voucher_value_usd else sheet_value_usd end as value_usd,
        case when vouchers_are_whole then 'VOUCHER' else 'SHEET' end as value_evidence_code,
        -- A product is invoiced provisionally first; without its sheets the first voucher may not be the last one.
        (not vouchers_are_whole and sheet_code = 'PROVISIONAL')
        or (kind_code in ('CONCENTRATE', 'EXPORT') and sheet_code is null and not has_final) as is_provisional,
        -- As a key, since a condition on the left side of an outer join would compare every row with every sheet.
        case when kind_code in ('ORE_AT_PLANT', 'CONCENTRATE') then payer_key end as sheet_buyer_key,
        case
            when vouchers_are_whole and sheet_code <> 'PROVISIONAL' then voucher_value_usd - sheet_value_usd
        end as difference_usd,
        case when vouchers_are_whole then last_date else expected_date end as transfer_date
    from joined
),

{{ role_ctes() }},

carriers as (
    select
        haul_key,
        is_synthetic,
        min(case when kind_code = 'WAYBILL_SENDER' then document_key end) as sender_waybill_key,
        min(case when kind_code = 'WAYBILL_CARRIER' then document_key end) as carrier_waybill_key
    from {{ ref('int_haul__documents') }}
    where kind_code in ('WAYBILL_SENDER', 'WAYBILL_CARRIER')
    group by haul_key, is_synthetic
)

select
    coalesce(valued.transfer_key, {{ transfer_key('valued') }}) as transfer_key,
    valued.kind_code,
    valued.lot_key,
    valued.payee_key,
    {{ payee_role('valued', 'payees') }} as payee_role_code,
    valued.payer_key,
    {{ payer_role('valued', 'payers') }} as payer_role_code,
    valued.invoicing_party_key,
    valued.operator_key,
    valued.reinfo_key,
    valued.transfer_date,
    coalesce(valued.first_date, valued.expected_date) as first_date,
    valued.product_form_code,
    cast(valued.mass_wmt as decimal(18, 6)) as mass_wmt,
    valued.mass_dmt,
    cast(valued.cu_pct as decimal(8, 4)) as cu_pct,
    cast(valued.copper_g as bigint) as copper_g,
    cast(valued.value_usd as decimal(18, 2)) as value_usd,
    cast(
        coalesce(
            case when valued.vouchers_are_whole then valued.value_pen end, valued.value_usd * rates.pen_per_usd
        ) as decimal(18, 2)
    ) as value_pen,
    rates.pen_per_usd,
    rates.fx_series_code,
    valued.value_evidence_code,
    valued.is_provisional,
    cast(valued.voucher_value_usd as decimal(18, 2)) as voucher_value_usd,
    valued.sheet_value_usd,
    cast(valued.difference_usd as decimal(18, 2)) as difference_usd,
    valued.voucher_count,
    valued.invoice_key,
    valued.sheet_code,
    valued.sheet_id,
    carriers.sender_waybill_key,
    carriers.carrier_waybill_key,
    valued.ticket_id,
    deposits.detraction_deposit_id as deposit_id,
    case valued.method_rank when 3 then 'SCORED' when 2 then 'NAMED' when 1 then 'KEY' else 'SHEET' end
        as match_method_code,
    valued.match_score,
    valued.is_synthetic
from valued
{{ role_joins('valued') }}
left join carriers on valued.haul_key = carriers.haul_key and valued.is_synthetic = carriers.is_synthetic
left join {{ ref('int_settlement__sales') }} as deposits
    on
        valued.sheet_buyer_key = deposits.buyer_key
        and valued.lot_key = deposits.lot_key
        and valued.is_synthetic = deposits.is_synthetic
left join {{ ref('int_price__daily') }} as rates
    on valued.transfer_date = rates.price_date and valued.is_synthetic = rates.is_synthetic
where valued.value_usd is not null
