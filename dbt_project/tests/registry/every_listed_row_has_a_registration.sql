-- Rows of the files that are used = rows with a registration + rows that repeat a registration within their file.
with listed as (
    select count(*) as n
    from {{ ref('stg_reinfo__registrations') }} as registrations
    inner join {{ ref('int_registry__files') }} as files
        on registrations.landing_sha256 = files.landing_sha256 and files.is_used
),

keyed as (
    select
        count(*) as n,
        sum(repeated_count) as repeated
    from {{ ref('int_registry__listings_keyed') }}
)

select
    listed.n as listed_count,
    keyed.n as keyed_count,
    keyed.repeated
from listed
cross join keyed
where listed.n <> keyed.n + coalesce(keyed.repeated, 0)
