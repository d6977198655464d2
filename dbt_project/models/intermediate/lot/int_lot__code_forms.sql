-- Kinds of lots by the mask of their code: one row for each mask in use. A code whose mask is not listed is the
-- writer's own and says nothing to others.
with codes as (
    select distinct lot_id from {{ ref('stg_partner_weigh_tickets__tickets') }}
    union
    select distinct lot_id from {{ ref('stg_partner_assays__certificates') }}
    union
    select distinct lot_id from {{ ref('stg_partner_settlements__settlements') }}
    union
    select distinct lot_id from {{ ref('stg_partner_campaigns__lines') }}
    union
    select distinct lot_id from {{ ref('stg_partner_exports__lines') }}
),

masks as (
    select distinct {{ masked('lot_id') }} as masked_code
    from codes
    where lot_id is not null
)

select
    masks.masked_code,
    patterns.lot_kind_code,
    patterns.lot_kind_code is not null as is_travelling
from masks
left join {{ ref('lot_code_patterns') }} as patterns
    on {{ matches('masks.masked_code', 'patterns.pattern') }}
