-- On no day do papers say two things of one condition of a registration.
select
    registration_key,
    condition_code,
    is_synthetic,
    valid_from
from (
    select
        registration_key,
        condition_code,
        is_synthetic,
        valid_from,
        valid_to,
        lead(valid_from) over (
            partition by registration_key, condition_code, is_synthetic order by valid_from
        ) as next_from
    from {{ ref('int_formalization__conditions') }}
) as intervals
where coalesce(valid_to > next_from, next_from is not null)
