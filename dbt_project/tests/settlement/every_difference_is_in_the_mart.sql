-- Differences are counted and summed in the mart once each.
with listed as (
    select
        is_synthetic,
        count(*) as difference_count,
        sum(difference_usd) as difference_usd
    from {{ ref('int_settlement__differences') }}
    group by is_synthetic
),

summed as (
    select
        is_synthetic,
        sum(difference_count) as difference_count,
        sum(difference_usd) as difference_usd
    from {{ ref('mart_settlement_difference') }}
    group by is_synthetic
)

select listed.is_synthetic
from listed
left join summed on listed.is_synthetic = summed.is_synthetic
where
    listed.difference_count <> coalesce(summed.difference_count, 0)
    or listed.difference_usd <> coalesce(summed.difference_usd, 0)
