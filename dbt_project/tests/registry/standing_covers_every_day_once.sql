-- For every registration the spans of standing follow one another without gap or overlap, from the beginning to the
-- open end.
with followed as (
    select
        registration_key,
        is_synthetic,
        valid_from,
        valid_to,
        lead(valid_from) over (partition by registration_key, is_synthetic order by valid_from) as next_from
    from {{ ref('int_registration__standing') }}
)

select
    registration_key,
    is_synthetic
from followed
group by registration_key, is_synthetic
having
    min(valid_from) > date '1900-01-01'
    or count(*) filter (where valid_to is null) <> 1
    or count(*) filter (where coalesce(valid_to <> next_from, valid_to is not null or next_from is not null)) > 0
