{{ config(
    materialized='incremental',
    unique_key=['registration_key', 'is_synthetic'],
    post_hook=["{{ registry_forget_natural() }}", "{{ registry_keep_record() }}"],
    meta={'keeps_record': true, 'trace': {'parent': 'stg_reinfo__registrations', 'on': ['landing_sha256', 'row_number']}}
) }}
-- depends_on: {{ ref('int_registry__inputs') }}
-- The registry's history: one row per registration and interval of valid time in which nothing about it changed (macro
-- registry_history). A registration is not a person. New files change the history of a few registrations: theirs is
-- told anew from all their rows, that of the others stays.
{% set files, judged = ref('int_registry__files'), ref('int_registry__files_judged') %}
{% set places, codes = ref('int_places__names_matched'), ref('int_registry__codes') %}
{% if is_incremental() %}
    with new_listings as (
        {{ registry_keyed(registry_rows(), registry_new_files(), places, codes) }}
    ),

    affected as (
        {{ registry_affected(registry_new_files(), 'new_listings', this, judged, codes) }}
    ),

    affected_parties as (
        select codes.party_key
        from {{ codes }} as codes
        inner join affected
            on codes.reinfo_key = affected.registration_key and codes.is_synthetic = affected.is_synthetic
        union
        select new_listings.party_key
        from new_listings
        inner join affected
            on
                new_listings.registration_key = affected.registration_key
                and new_listings.is_synthetic = affected.is_synthetic
    ),

    affected_rows as (
        select * from {{ registry_rows() }} as listed
        where party_key in (select party_key from affected_parties)
    ),

    affected_listings as (
        select keyed.*
        from ({{ registry_keyed('affected_rows', files, places, codes) }}) as keyed
        inner join affected
            on keyed.registration_key = affected.registration_key and keyed.is_synthetic = affected.is_synthetic
    )

    select * from ({{ registry_history('affected_listings', judged) }}) as told
{% else %}
    select * from ({{ registry_history(ref('int_registry__listings_keyed'), judged) }}) as told
    order by registration_key, valid_from
{% endif %}
