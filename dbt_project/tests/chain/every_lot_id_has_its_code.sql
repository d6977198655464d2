-- Every lot id of partners' papers is in int_lot__codes, once; an id of a party's own never becomes another's.
with used as (
    select weighing_party_key as party_key, lot_id, is_synthetic
    from {{ ref('stg_partner_weigh_tickets__tickets') }}
    where is_current
    union
    select laboratory_key as party_key, lot_id, is_synthetic
    from {{ ref('stg_partner_assays__certificates') }}
    where is_current
    union
    select buyer_key as party_key, lot_id, is_synthetic
    from {{ ref('stg_partner_settlements__settlements') }}
    where is_current
    union
    select plant_key as party_key, lot_id, is_synthetic
    from {{ ref('stg_partner_campaigns__lines') }}
    where is_current and lot_id is not null
    union
    select exporter_key as party_key, lot_id, is_synthetic
    from {{ ref('stg_partner_exports__lines') }}
    where is_current and lot_id is not null
)

select used.party_key, used.lot_id, count(codes.lot_key) as codes_found
from used
left join {{ ref('int_lot__codes') }} as codes
    on
        used.party_key = codes.party_key
        and used.lot_id = codes.lot_id
        and used.is_synthetic = codes.is_synthetic
group by used.party_key, used.lot_id
having count(codes.lot_key) <> 1
