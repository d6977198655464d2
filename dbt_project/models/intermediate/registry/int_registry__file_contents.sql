{{ config(materialized='incremental', unique_key='landing_sha256', post_hook="{{ registry_forget_files() }}") }}
-- What each landing file of the registry is by its own rows: looked at once, and again only when the lake holds other
-- rows of it (`fingerprint`) or something else is looked for (`rule_digest`).
{% set rule_digest = local_md5(registry_file_contents(registry_rows())) %}
with lake_files as (
    select
        landing_sha256,
        fingerprint
    from {{ source('raw', 'lake_files') }} as lake_files
    where
        table_name = 'reinfo__registrations'
        {% if is_incremental() %}
            and not exists (
                select 1 from {{ this }} as held
                where
                    held.landing_sha256 = lake_files.landing_sha256
                    and held.fingerprint = lake_files.fingerprint
                    and held.rule_digest = '{{ rule_digest }}'
            )
        {% endif %}
),

waiting as (
    select listed.*
    from {{ registry_rows() }} as listed
    inner join lake_files on listed.landing_sha256 = lake_files.landing_sha256
)

select
    contents.*,
    lake_files.fingerprint,
    '{{ rule_digest }}' as rule_digest
from ({{ registry_file_contents('waiting') }}) as contents
inner join lake_files on contents.landing_sha256 = lake_files.landing_sha256
