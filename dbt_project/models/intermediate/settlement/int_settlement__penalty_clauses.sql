-- Clauses of the penalty terms that stand on sheets: one row for each distinct text and clause of it. Clauses of one
-- element add up: that is how tiers are written. A step of zero is no step, so such a clause is not measured.
with texts as (
    select distinct penalty_terms
    from {{ ref('stg_partner_settlements__settlements') }}
    where is_current and penalty_terms is not null
),

clauses as (
    select
        penalty_terms,
        {{ parts_of('penalty_terms', ';') }} as clause
    from texts
)

select
    penalty_terms,
    split_part(clause, ':', 1) as element_code,
    cast(split_part(clause, ':', 2) as decimal(10, 4)) as free_pct,
    nullif(cast(split_part(clause, ':', 3) as decimal(10, 4)), 0) as step_pct,
    cast(split_part(clause, ':', 4) as decimal(10, 4)) as usd_per_dmt_step
from clauses
