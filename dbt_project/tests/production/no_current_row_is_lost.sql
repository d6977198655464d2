-- Codes and places are joined on: every current MINEM row must come through exactly once, with its quantity.
with counts as (
    select
        (select count(*) from {{ ref('stg_minem_production__quantities') }} where is_current) as staged_rows,
        (select count(*) from {{ ref('fct_metal_production') }}) as fact_rows
)

select * from counts
where staged_rows <> fact_rows
