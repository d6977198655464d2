-- What is published adds up to what the fact holds, stage by stage, to the rounding of a gram per cell.
with published as (
    select stage_code, sum(fine_copper_t) as fine_copper_t, count(*) as cells
    from {{ ref('pub_copper_production') }}
    group by stage_code
),

fact as (
    select stage_code, sum(fine_metal_t) as fine_copper_t
    from {{ ref('fct_metal_production') }}
    where mineral_name = 'COBRE'
    group by stage_code
)

select fact.stage_code, fact.fine_copper_t, published.fine_copper_t as published_t
from fact
full join published on fact.stage_code = published.stage_code
where
    published.stage_code is null
    or fact.stage_code is null
    or abs(fact.fine_copper_t - published.fine_copper_t) > 0.000001 * published.cells
