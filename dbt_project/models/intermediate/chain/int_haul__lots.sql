-- The lot that a haul carries, as its documents name it: one row per haul. Where they name several, the sender's
-- waybill counts before the carrier's, and these before the vouchers.
select
    haul_key,
    coalesce(
        min(case when kind_code = 'WAYBILL_SENDER' then lot_key end),
        min(case when kind_code = 'WAYBILL_CARRIER' then lot_key end),
        min(lot_key)
    ) as lot_key,
    coalesce(min(lot_key) <> max(lot_key), false) as names_several_lots,
    count(*) as document_count,
    is_synthetic
from {{ ref('int_haul__documents') }}
group by haul_key, is_synthetic
