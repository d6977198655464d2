-- The matching neither loses a combination of names nor doubles one.
select names.department_name, names.province_name, names.district_name, count(matched.match_method) as matches
from (
    select distinct department_name, province_name, district_name
    from {{ ref('int_places__names_distinct') }}
) as names
left join {{ ref('int_places__names_matched') }} as matched
    on
        names.department_name is not distinct from matched.department_name
        and names.province_name is not distinct from matched.province_name
        and names.district_name is not distinct from matched.district_name
group by names.department_name, names.province_name, names.district_name
having count(matched.match_method) <> 1
