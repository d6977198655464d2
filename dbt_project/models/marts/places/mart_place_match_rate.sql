-- How well each source's place names were recognised, by level and method, in rows and in distinct names.
with counted as (
    select
        written.source,
        matched.place_level,
        matched.match_method,
        cast(sum(written.row_count) as bigint) as row_count,
        count(*) as name_count
    from {{ ref('int_places__names_distinct') }} as written
    inner join {{ ref('int_places__names_matched') }} as matched
        on
            written.department_name is not distinct from matched.department_name
            and written.province_name is not distinct from matched.province_name
            and written.district_name is not distinct from matched.district_name
    group by written.source, matched.place_level, matched.match_method
)

select
    source,
    place_level,
    match_method,
    row_count,
    name_count,
    cast(100.0 * row_count / sum(row_count) over (partition by source) as decimal(6, 3)) as row_share_pct
from counted
order by source, place_level, match_method
