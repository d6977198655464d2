-- Grade and moisture of every lot with a certificate, and how far its certificates lie apart: the least, the most and
-- what the lot ledger took.
with certificates as (
    select
        coalesce(codes.lot_key, assays.lot_id) as lot_key,
        assays.is_synthetic,
        min(assays.cu_pct) as least_cu_pct,
        max(assays.cu_pct) as most_cu_pct,
        min(assays.moisture_pct) as least_moisture_pct,
        max(assays.moisture_pct) as most_moisture_pct,
        count(*) as certificate_count
    from {{ ref('stg_partner_assays__certificates') }} as assays
    left join {{ ref('int_lot__codes') }} as codes
        on
            assays.laboratory_key = codes.party_key
            and assays.lot_id = codes.lot_id
            and assays.is_synthetic = codes.is_synthetic
    where assays.is_current
    group by coalesce(codes.lot_key, assays.lot_id), assays.is_synthetic
),

lots as (
    select
        lot_key,
        lot_kind_code,
        product_form_code,
        cu_pct,
        cast(100 * (1 - mass_dmt / mass_wmt) as decimal(7, 4)) as moisture_pct,
        is_synthetic
    from {{ ref('dim_lot') }}
)

select
    lots.lot_key,
    lots.lot_kind_code,
    lots.product_form_code,
    least(certificates.least_cu_pct, lots.cu_pct) as cu_low_pct,
    lots.cu_pct,
    greatest(certificates.most_cu_pct, lots.cu_pct) as cu_high_pct,
    least(certificates.least_moisture_pct, lots.moisture_pct) as moisture_low_pct,
    lots.moisture_pct,
    greatest(certificates.most_moisture_pct, lots.moisture_pct) as moisture_high_pct,
    certificates.certificate_count,
    lots.is_synthetic
from lots
inner join certificates on lots.lot_key = certificates.lot_key and lots.is_synthetic = certificates.is_synthetic
where lots.cu_pct is not null and lots.moisture_pct is not null
