-- Who mined every load: one row per load and origin lot, with the registration under which that lot itself was papered
-- at the pit. A load that no heap of a collector was mixed into is its own origin, known by its own papers.
select
    loads.load_key,
    genealogy.origin_lot_key,
    genealogy.copper_g,
    coalesce(pits.operator_key, case when genealogy.origin_lot_key = loads.load_key then loads.operator_key end)
        as producer_key,
    coalesce(
        pits.reinfo_key, case when genealogy.origin_lot_key = loads.load_key then loads.paper_registration_key end
    ) as origin_registration_key,
    loads.paper_registration_key,
    loads.plant_key,
    loads.document_key,
    loads.custody_date,
    loads.is_synthetic
from {{ ref('int_custody__loads') }} as loads
inner join {{ ref('int_lot__genealogy') }} as genealogy
    on loads.load_key = genealogy.lot_key and loads.is_synthetic = genealogy.is_synthetic
left join {{ ref('dim_lot') }} as pits
    on
        genealogy.origin_lot_key = pits.lot_key
        and genealogy.is_synthetic = pits.is_synthetic
        and loads.load_key <> pits.lot_key
