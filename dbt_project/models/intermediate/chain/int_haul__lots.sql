-- The lot that a haul carries, as its documents name it: one row per haul. The sender's waybill counts before the
-- carrier's, and these before the vouchers. It carries several where a waybill names them, or where no waybill names
-- any and the vouchers name different ones.
with told as (
    select
        haul_key,
        coalesce(
            min(case when kind_code = 'WAYBILL_SENDER' then lot_key end),
            min(case when kind_code = 'WAYBILL_CARRIER' then lot_key end)
        ) as waybill_lot_key,
        min(lot_key) as lot_key,
        max(
            case when kind_code in ('WAYBILL_SENDER', 'WAYBILL_CARRIER') and names_several_lots then 1 else 0 end
        ) = 1 as waybill_names_several_lots,
        coalesce(min(lot_key) <> max(lot_key), false) as documents_differ,
        count(*) as document_count,
        is_synthetic
    from {{ ref('int_haul__documents') }}
    group by haul_key, is_synthetic
),

decided as (
    select
        *,
        waybill_names_several_lots or (waybill_lot_key is null and documents_differ) as names_several_lots
    from told
)

select
    haul_key,
    case when not names_several_lots then coalesce(waybill_lot_key, lot_key) end as lot_key,
    names_several_lots,
    document_count,
    is_synthetic
from decided
