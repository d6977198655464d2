{{ config(meta={'trace': {
    'parent': 'int_copper__views',
    'on': ['production_year', 'place_level', 'department_code', 'measure_code', 'claim_code', 'is_synthetic'],
}}) }}
-- Official copper by stratum beside what documents, scales, customs and published claims show, by year, in the whole
-- country and by department. Every row is one view of the copper: rows are compared, never added up, for the ore of a
-- waybill, its weighing and the concentrate made of it are one copper. Measured and simulated stand apart: official
-- figures and claims are measured, a simulated document is set beside simulated figures or beside nothing.
with viewed as (
    select
        production_year,
        place_level,
        department_code,
        measure_code,
        claim_code,
        sum(copper_low_t) as copper_low_t,
        sum(copper_t) as copper_t,
        sum(copper_high_t) as copper_high_t,
        sum(assayed_t) as assayed_t,
        sum(mass_low_wmt) as mass_low_wmt,
        sum(mass_high_wmt) as mass_high_wmt,
        sum(trip_low_count) as trip_low_count,
        sum(trip_high_count) as trip_high_count,
        sum(evidence_count) as evidence_count,
        count(*) - count(copper_low_t) as unmeasured_count,
        min(first_date) as first_date,
        max(last_date) as last_date,
        is_synthetic
    from {{ ref('int_copper__views') }}
    group by production_year, place_level, department_code, measure_code, claim_code, is_synthetic
),

-- Years of which MINEM's file is here, for any metal: only there an absent stratum says something.
official_years as (
    select
        extract(year from month) as production_year,
        count(distinct month) as official_month_count,
        is_synthetic
    from {{ ref('fct_metal_production') }}
    group by extract(year from month), is_synthetic
),

places as (
    select distinct
        viewed.production_year,
        viewed.place_level,
        viewed.department_code,
        official_years.official_month_count,
        viewed.is_synthetic
    from viewed
    inner join official_years
        on
            viewed.production_year = official_years.production_year
            and viewed.is_synthetic = official_years.is_synthetic
),

-- What small and artisanal producers declared together: null where neither did.
small_scale as (
    select
        places.*,
        sum(viewed.copper_t) as official_asm_t
    from places
    left join viewed
        on
            places.production_year = viewed.production_year
            and places.place_level = viewed.place_level
            and coalesce(places.department_code, '') = coalesce(viewed.department_code, '')
            and places.is_synthetic = viewed.is_synthetic
            and viewed.measure_code in ('OFFICIAL_PPM', 'OFFICIAL_PMA')
    group by
        places.production_year, places.place_level, places.department_code, places.official_month_count,
        places.is_synthetic
),

silent as (
    select
        places.production_year,
        places.place_level,
        places.department_code,
        measures.measure_code,
        places.is_synthetic
    from places
    inner join {{ ref('copper_measures') }} as measures on measures.measure_code in ('OFFICIAL_PPM', 'OFFICIAL_PMA')
    left join viewed
        on
            places.production_year = viewed.production_year
            and places.place_level = viewed.place_level
            and coalesce(places.department_code, '') = coalesce(viewed.department_code, '')
            and measures.measure_code = viewed.measure_code
            and places.is_synthetic = viewed.is_synthetic
    where viewed.measure_code is null
),

rows_of_all as (
    select
        production_year,
        place_level,
        department_code,
        measure_code,
        claim_code,
        case
            when measure_code like 'OFFICIAL%' then 'OFFICIAL'
            when measure_code like 'CLAIM%' then 'CLAIMED'
            when measure_code = 'EXPORT_CONTAINED' then 'DECLARED'
            when assayed_t = copper_t then 'ASSAYED'
            when assayed_t = 0 then 'IMPUTED'
            else 'PARTLY_IMPUTED'
        end as basis_code,
        copper_low_t,
        copper_t,
        copper_high_t,
        assayed_t / nullif(copper_t, 0) as assayed_frac,
        mass_low_wmt,
        mass_high_wmt,
        trip_low_count,
        trip_high_count,
        evidence_count,
        unmeasured_count,
        first_date,
        last_date,
        is_synthetic
    from viewed

    union all

    select
        production_year,
        place_level,
        department_code,
        measure_code,
        null as claim_code,
        'NOT_REPORTED' as basis_code,
        null as copper_low_t,
        null as copper_t,
        null as copper_high_t,
        null as assayed_frac,
        null as mass_low_wmt,
        null as mass_high_wmt,
        null as trip_low_count,
        null as trip_high_count,
        0 as evidence_count,
        0 as unmeasured_count,
        null as first_date,
        null as last_date,
        is_synthetic
    from silent
)

select
    rows_of_all.production_year,
    rows_of_all.place_level,
    rows_of_all.department_code,
    rows_of_all.measure_code,
    rows_of_all.claim_code,
    measures.stage_code,
    rows_of_all.basis_code,
    cast(rows_of_all.copper_low_t as decimal(18, 6)) as copper_low_t,
    cast(rows_of_all.copper_t as decimal(18, 6)) as copper_t,
    cast(rows_of_all.copper_high_t as decimal(18, 6)) as copper_high_t,
    cast(rows_of_all.assayed_frac as decimal(9, 6)) as assayed_frac,
    cast(rows_of_all.mass_low_wmt as decimal(18, 6)) as mass_low_wmt,
    cast(rows_of_all.mass_high_wmt as decimal(18, 6)) as mass_high_wmt,
    cast(rows_of_all.trip_low_count as bigint) as trip_low_count,
    cast(rows_of_all.trip_high_count as bigint) as trip_high_count,
    cast(rows_of_all.evidence_count as bigint) as evidence_count,
    cast(rows_of_all.unmeasured_count as bigint) as unmeasured_count,
    cast(small_scale.official_asm_t as decimal(18, 6)) as official_asm_t,
    small_scale.official_month_count,
    cast(
        case
            when measures.is_comparable and small_scale.production_year is not null
                then rows_of_all.copper_low_t - coalesce(small_scale.official_asm_t, 0)
        end as decimal(18, 6)
    ) as gap_low_t,
    cast(
        case
            when measures.is_comparable and small_scale.production_year is not null
                then rows_of_all.copper_high_t - coalesce(small_scale.official_asm_t, 0)
        end as decimal(18, 6)
    ) as gap_high_t,
    rows_of_all.first_date,
    rows_of_all.last_date,
    coalesce(claims.source || '. ', '') || measures.note_en as note_en,
    coalesce(claims.source || '. ', '') || measures.note_es as note_es,
    rows_of_all.is_synthetic
from rows_of_all
inner join {{ ref('copper_measures') }} as measures on rows_of_all.measure_code = measures.measure_code
left join {{ ref('int_copper__claims') }} as claims on rows_of_all.claim_code = claims.claim_code
left join small_scale
    on
        rows_of_all.production_year = small_scale.production_year
        and rows_of_all.place_level = small_scale.place_level
        and coalesce(rows_of_all.department_code, '') = coalesce(small_scale.department_code, '')
        and rows_of_all.is_synthetic = small_scale.is_synthetic
order by
    rows_of_all.is_synthetic, rows_of_all.production_year, rows_of_all.place_level, rows_of_all.department_code,
    rows_of_all.measure_code, rows_of_all.claim_code
