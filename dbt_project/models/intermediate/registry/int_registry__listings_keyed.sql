-- Every row of the files that are used, with the key of its registration. The map layer carries the registry's own
-- code; the listing does not, so its rows are matched on party and mining right (on the place in free area), over all
-- codes that the map ever showed for them. Where one person has several registrations on the same right the pairing
-- is a convention (`ambiguous`), kept and counted, and without a state where theirs differ; a row that no map file
-- ever showed keeps a key of its own (`natural`).
with listed as (
    select
        registrations.*,
        files.file_number,
        coalesce(places.ubigeo_code, registrations.department_name) as place_code,
        places.department_code as place_department_code
    from {{ ref('stg_reinfo__registrations') }} as registrations
    inner join {{ ref('int_registry__files') }} as files
        on
            registrations.landing_sha256 = files.landing_sha256
            and registrations.layout_code = files.layout_code
            and files.is_used
    left join {{ ref('int_places__names_matched') }} as places
        on
            registrations.department_name is not distinct from places.department_name
            and registrations.province_name is not distinct from places.province_name
            and registrations.district_name is not distinct from places.district_name
),

natural_keyed as (
    select
        *,
        md5(party_key || '|' || coalesce(mining_right_id_ingemmet, 'AREA LIBRE|' || place_code)) as natural_key
    from listed
),

-- Codes of each natural key, in a stable order.
codes as (
    select
        *,
        row_number() over (partition by natural_key, is_synthetic order by reinfo_key) as code_number,
        count(*) over (partition by natural_key, is_synthetic) as code_count
    from (
        select distinct
            natural_key,
            is_synthetic,
            reinfo_key
        from natural_keyed
        where reinfo_key is not null
    ) as distinct_codes
),

numbered as (
    select
        *,
        row_number() over (partition by landing_sha256, natural_key order by reinfo_key, row_number) as nth,
        count(*) over (partition by landing_sha256, natural_key) as of_these,
        count(distinct status_code) over (partition by landing_sha256, natural_key) as state_count
    from natural_keyed
),

paired as (
    select
        numbered.file_number,
        numbered.layout_code,
        coalesce(
            numbered.reinfo_key, codes.reinfo_key, md5(numbered.natural_key || '|' || numbered.nth)
        ) as registration_key,
        case
            when numbered.reinfo_key is not null then 'code'
            when codes.reinfo_key is null then 'natural'
            when codes.code_count = 1 and numbered.of_these = 1 then 'matched'
            else 'ambiguous'
        end as key_method,
        numbered.party_key,
        numbered.mining_right_id_ingemmet,
        numbered.is_free_area,
        numbered.place_code,
        coalesce(numbered.place_department_code, numbered.department_code) as department_code,
        numbered.activity_code,
        -- which of several registrations a listed state belongs to is not known where the states differ
        case
            when numbered.reinfo_key is not null or numbered.state_count < 2 then numbered.status_code
        end as status_code,
        numbered.inscription_year,
        numbered.source_as_of,
        numbered.ingested_at,
        numbered.is_synthetic,
        numbered.landing_sha256,
        numbered.row_number
    from numbered
    left join codes
        on
            numbered.reinfo_key is null
            and numbered.natural_key = codes.natural_key
            and numbered.is_synthetic = codes.is_synthetic
            and numbered.nth = codes.code_number
)

select
    * exclude (nth_in_file),
    -- rows that repeat the registration within the file: the first one stands for them
    count_in_file - 1 as repeated_count
from (
    select
        *,
        row_number() over same as nth_in_file,
        count(*) over (partition by file_number, is_synthetic, registration_key) as count_in_file
    from paired
    window same as (partition by file_number, is_synthetic, registration_key order by row_number)
) as counted
where nth_in_file = 1
