-- From a department, province and district as some source writes them to INEI codes: one row per combination.
-- A district is only ever sought within its own province, or alone in its department: names shared by several
-- districts are never guessed. Methods, best first: exact, alias (a listed other spelling), within_department
-- (the province is missing or unknown and the district's name is the only one of its kind in the department),
-- fuzzy (one district of the province, at most two letters away), partial (only province or department), none.
with written as (
    select distinct department_name, province_name, district_name
    from {{ ref('int_places__names_distinct') }}
),

keyed as (
    select
        *,
        {{ place_name_key('department_name') }} as department_key,
        {{ place_name_key('province_name') }} as province_key,
        {{ place_name_key('district_name') }} as district_key
    from written
),

places as (
    select
        place_level,
        ubigeo_code,
        department_code,
        province_code,
        {{ place_name_key('department_name') }} as department_key,
        {{ place_name_key('province_name') }} as province_key,
        {{ place_name_key('district_name') }} as district_key
    from {{ ref('dim_place') }}
),

proper_names as (
    select place_level, coalesce(district_key, province_key, department_key) as name_key
    from places
    group by place_level, name_key
),

-- Our own list first; from the published variants only those that turn an unknown name into a known one.
aliases as (
    select
        place_level,
        {{ place_name_key('written_name') }} as written_key,
        max({{ place_name_key('proper_name') }}) as proper_key
    from {{ ref('place_aliases') }}
    group by place_level, written_key
    union
    select
        variants.place_level,
        {{ place_name_key('variants.written_name') }} as written_key,
        {{ place_name_key('variants.proper_name') }} as proper_key
    from {{ ref('stg_ubigeo__name_variants') }} as variants
    inner join proper_names as known
        on
            variants.place_level = known.place_level
            and {{ place_name_key('variants.proper_name') }} = known.name_key
    left join proper_names as unknown
        on
            variants.place_level = unknown.place_level
            and {{ place_name_key('variants.written_name') }} = unknown.name_key
    left join {{ ref('place_aliases') }} as listed
        on
            variants.place_level = listed.place_level
            and {{ place_name_key('variants.written_name') }} = {{ place_name_key('listed.written_name') }}
    where variants.is_current and unknown.name_key is null and listed.written_name is null
),

proper as (
    select
        keyed.department_name,
        keyed.province_name,
        keyed.district_name,
        coalesce(department_alias.proper_key, keyed.department_key) as department_key,
        coalesce(province_alias.proper_key, keyed.province_key) as province_key,
        coalesce(district_alias.proper_key, keyed.district_key) as district_key,
        coalesce(department_alias.proper_key, province_alias.proper_key, district_alias.proper_key)
        is not null as has_alias
    from keyed
    left join aliases as department_alias
        on keyed.department_key = department_alias.written_key and department_alias.place_level = 'department'
    left join aliases as province_alias
        on keyed.province_key = province_alias.written_key and province_alias.place_level = 'province'
    left join aliases as district_alias
        on keyed.district_key = district_alias.written_key and district_alias.place_level = 'district'
),

-- Where a code table lists two districts of one name in a province, the name alone does not say which.
in_province as (
    select
        department_key,
        province_key,
        district_key,
        max(ubigeo_code) as ubigeo_code
    from places
    where place_level = 'district'
    group by department_key, province_key, district_key
    having count(*) = 1
),

in_department as (
    select
        department_key,
        district_key,
        max(ubigeo_code) as ubigeo_code
    from places
    where place_level = 'district'
    group by department_key, district_key
    having count(*) = 1
),

near as (
    select
        proper.department_name,
        proper.province_name,
        proper.district_name,
        in_province.ubigeo_code,
        levenshtein(proper.district_key, in_province.district_key) as distance
    from proper
    inner join in_province
        on
            proper.department_key = in_province.department_key
            and proper.province_key = in_province.province_key
            and length(proper.district_key) >= 5
            and levenshtein(proper.district_key, in_province.district_key) between 1 and 2
),

nearest as (
    select
        department_name,
        province_name,
        district_name,
        min(ubigeo_code) as ubigeo_code,
        min(distance) as distance
    from near
    where
        distance = (
            select min(other.distance) from near as other
            where
                other.department_name is not distinct from near.department_name
                and other.province_name is not distinct from near.province_name
                and other.district_name is not distinct from near.district_name
        )
    group by department_name, province_name, district_name
    having count(*) = 1
),

matched as (
    select
        proper.department_name,
        proper.province_name,
        proper.district_name,
        departments.department_code,
        provinces.province_code,
        coalesce(in_province.ubigeo_code, in_department.ubigeo_code, nearest.ubigeo_code) as district_code,
        proper.department_key,
        proper.province_key,
        proper.district_key,
        nearest.distance,
        case
            when in_province.ubigeo_code is not null and proper.has_alias then 'alias'
            when in_province.ubigeo_code is not null then 'exact'
            when in_department.ubigeo_code is not null then 'within_department'
            when nearest.ubigeo_code is not null then 'fuzzy'
            when proper.district_key is null and provinces.province_code is not null then 'exact'
            when proper.district_key is null and proper.province_key is null and departments.department_code is not null
                then 'exact'
            when provinces.province_code is not null or departments.department_code is not null then 'partial'
            else 'none'
        end as match_method
    from proper
    left join places as departments
        on proper.department_key = departments.department_key and departments.place_level = 'department'
    left join places as provinces
        on
            proper.department_key = provinces.department_key
            and proper.province_key = provinces.province_key
            and provinces.place_level = 'province'
    left join in_province
        on
            proper.department_key = in_province.department_key
            and proper.province_key = in_province.province_key
            and proper.district_key = in_province.district_key
    left join in_department
        on
            in_province.ubigeo_code is null
            and provinces.province_code is null
            and proper.department_key = in_department.department_key
            and proper.district_key = in_department.district_key
    left join nearest
        on
            in_province.ubigeo_code is null
            and in_department.ubigeo_code is null
            and proper.department_name is not distinct from nearest.department_name
            and proper.province_name is not distinct from nearest.province_name
            and proper.district_name is not distinct from nearest.district_name
)

select
    department_name,
    province_name,
    district_name,
    coalesce(district_code, province_code || '00', department_code || '0000') as ubigeo_code,
    department_code,
    coalesce(left(district_code, 4), province_code) as province_code,
    case
        when district_code is not null then 'district'
        when province_code is not null then 'province'
        when department_code is not null then 'department'
        else 'none'
    end as place_level,
    match_method,
    cast(
        case match_method
            when 'exact' then 1
            when 'alias' then 1
            when 'within_department' then 0.9
            when 'fuzzy' then 1 - distance * 1.0 / length(district_key)
            when 'partial' then 0.5
            else 0
        end as decimal(4, 3)
    ) as match_score
from matched
