-- One row per lot: the best that papers tell of it, and of which paper mass and copper are.
with origins as (
    -- Lots that begin at themselves, all of them or in part.
    select
        lot_key,
        is_synthetic
    from {{ ref('int_lot__genealogy') }}
    where lot_key = origin_lot_key
)

select
    ledger.lot_key,
    ledger.lot_kind_code,
    books.product_form_code,
    ledger.first_date,
    cast(books.mass_wmt as decimal(14, 6)) as mass_wmt,
    books.wet_evidence_code,
    cast(ledger.mass_g * 0.000001 as decimal(14, 6)) as mass_dmt,
    cast(case
        when ledger.copper_g is null or ledger.mass_g = 0 then books.cu_pct
        -- More copper than mass is an error of the papers (mart_lot_finding), not a grade.
        when ledger.copper_g > ledger.mass_g then null
        else ledger.copper_g * 100.0 / ledger.mass_g
    end as decimal(8, 4)) as cu_pct,
    ledger.copper_g,
    ledger.mass_evidence_code,
    books.operator_key,
    books.reinfo_key,
    books.mining_right_id_ingemmet,
    books.origin_ubigeo_code,
    left(books.origin_ubigeo_code, 2) as department_code,
    ledger.plant_key,
    ledger.copper_g is null or origins.lot_key is not null as is_origin,
    coalesce(books.is_exported, false) as is_exported,
    ledger.is_synthetic
from {{ ref('int_lot__ledger') }} as ledger
left join {{ ref('int_lot__books') }} as books
    on ledger.lot_key = books.lot_key and ledger.is_synthetic = books.is_synthetic
left join origins
    on ledger.lot_key = origins.lot_key and ledger.is_synthetic = origins.is_synthetic
