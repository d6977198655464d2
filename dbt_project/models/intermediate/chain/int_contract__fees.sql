-- What share of a sale an operator owes to a concession's holder: one row per operator, registration and holder. From
-- contracts, as far as they were handed in; else from vouchers that name the lot, the middle of the shares paid. A
-- contract binds here from its day on; its end is not looked at, since people go on paying.
with contracts as (
    select
        operator_key,
        reinfo_key,
        holder_key,
        cast(fee_pct * 0.01 as decimal(9, 6)) as fee_frac,
        coalesce(start_date, signed_date) as from_date,
        row_number() over (
            partition by operator_key, reinfo_key, holder_key, is_synthetic order by signed_date desc, contract_id asc
        ) as choice,
        is_synthetic
    from {{ ref('stg_partner_contracts__contracts') }}
    where
        is_current
        and holder_key <> operator_key
        and coalesce(fee_base_code, 'VENTA') in ('VENTA', 'MINERAL')
),

signed as (
    select * from contracts
    where choice = 1
),

sales as (
    select * from {{ ref('int_transfer__implied_goods') }}
    where kind_code = 'ORE_AT_PIT' or (kind_code = 'ORE_AT_PLANT' and payee_key = operator_key)
),

vouchers as (
    select
        documents.document_key,
        documents.kind_code,
        keyed.lot_key,
        documents.seller_key,
        documents.buyer_key,
        documents.value_usd,
        documents.is_synthetic
    from {{ ref('int_document__classified') }} as documents
    inner join {{ ref('int_document__keyed') }} as keyed
        on documents.document_key = keyed.document_key and documents.is_synthetic = keyed.is_synthetic
    where
        documents.part_code = 'SALE'
        and documents.kind_code in ('CONCESSION_FEE', 'ORE_AT_PIT')
        and keyed.lot_key is not null
),

paid as (
    select
        fees.buyer_key as operator_key,
        sales.reinfo_key,
        fees.seller_key as holder_key,
        fees.value_usd / nullif(coalesce(sales.sheet_value_usd, sold.value_usd), 0) as fee_frac,
        fees.is_synthetic
    from vouchers as fees
    inner join sales
        on
            fees.lot_key = sales.lot_key
            and fees.buyer_key = sales.operator_key
            and fees.is_synthetic = sales.is_synthetic
    left join vouchers as sold
        on
            sales.lot_key = sold.lot_key
            and sales.is_synthetic = sold.is_synthetic
            and sold.kind_code = 'ORE_AT_PIT'
    where fees.kind_code = 'CONCESSION_FEE'
),

usual as (
    select
        operator_key,
        reinfo_key,
        holder_key,
        cast(median(fee_frac) as decimal(9, 6)) as fee_frac,
        is_synthetic
    from paid
    where fee_frac > 0
    group by operator_key, reinfo_key, holder_key, is_synthetic
)

select
    operator_key,
    reinfo_key,
    holder_key,
    fee_frac,
    from_date,
    'CONTRACT' as why_code,
    is_synthetic
from signed

union all

select
    usual.operator_key,
    usual.reinfo_key,
    usual.holder_key,
    usual.fee_frac,
    null as from_date,
    'PAST_FEE' as why_code,
    usual.is_synthetic
from usual
left join signed
    on
        usual.operator_key = signed.operator_key
        and usual.reinfo_key = signed.reinfo_key
        and usual.holder_key = signed.holder_key
        and usual.is_synthetic = signed.is_synthetic
where signed.operator_key is null
