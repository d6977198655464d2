{{ config(
    materialized='incremental',
    unique_key=['registration_key', 'is_synthetic', 'first_number'],
    post_hook=["{{ registry_forget_natural() }}", "{{ registry_keep_record() }}"],
    meta={'keeps_record': true}
) }}
-- depends_on: {{ ref('int_registry__inputs') }}
-- The listings of every registration as runs of files that say the same of it (macro registry_runs). New files continue
-- or end the runs of the newest file, or begin others. Where a new file shows a code for rows of old files, all rows of
-- that registration are read again.
{% set files, places = ref('int_registry__files'), ref('int_places__names_matched') %}
{% set keyed, codes = ref('int_registry__listings_keyed'), ref('int_registry__codes') %}
{% if is_incremental() %}
    {% set said = registry_said_columns() | join(', ') %}
    with new_files as {{ registry_new_files() }},

    first_new as (
        select
            is_synthetic,
            min(file_number) as file_number
        from new_files
        group by is_synthetic
    ),

    rekeyed as (
        {{ registry_rekeyed('new_files', this, codes) }}
    ),

    rekeyed_rows as (
        select * from {{ registry_rows() }} as listed
        where party_key in (
            select codes.party_key
            from {{ codes }} as codes
            inner join rekeyed
                on codes.reinfo_key = rekeyed.registration_key and codes.is_synthetic = rekeyed.is_synthetic
        )
    ),

    listings as (
        select
            keyed.registration_key,
            keyed.is_synthetic,
            keyed.file_number as first_number,
            keyed.file_number as last_number,
            keyed.row_number,
            {{ said }}
        from ({{ registry_keyed('rekeyed_rows', files, places, codes) }}) as keyed
        inner join rekeyed
            on keyed.registration_key = rekeyed.registration_key and keyed.is_synthetic = rekeyed.is_synthetic

        union all

        select
            keyed.registration_key,
            keyed.is_synthetic,
            keyed.file_number as first_number,
            keyed.file_number as last_number,
            keyed.row_number,
            {{ said }}
        from ({{ registry_keyed(registry_rows(), 'new_files', places, codes) }}) as keyed
        left join rekeyed
            on keyed.registration_key = rekeyed.registration_key and keyed.is_synthetic = rekeyed.is_synthetic
        where rekeyed.registration_key is null

        union all

        select
            held.registration_key,
            held.is_synthetic,
            held.first_number,
            first_new.file_number - 1 as last_number,
            held.row_number,
            {{ said }}
        from {{ this }} as held
        inner join first_new on held.is_synthetic = first_new.is_synthetic
        left join rekeyed
            on held.registration_key = rekeyed.registration_key and held.is_synthetic = rekeyed.is_synthetic
        where held.last_number is null and rekeyed.registration_key is null
    )

    select runs.*
    from ({{ registry_runs('listings', files) }}) as runs
    inner join first_new on runs.is_synthetic = first_new.is_synthetic
    left join rekeyed
        on runs.registration_key = rekeyed.registration_key and runs.is_synthetic = rekeyed.is_synthetic
    -- a run that only goes on stays as it is
    where
        runs.first_number >= first_new.file_number
        or runs.last_number is not null
        or rekeyed.registration_key is not null
{% else %}
    {{ registry_runs(registry_single(keyed), files) }}
{% endif %}
