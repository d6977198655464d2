-- Every combination of place names that any source writes, with its source and how many rows have it.
{% for slug, model in sources_with_place_names().items() %}
    select
        '{{ slug }}' as source,
        department_name,
        province_name,
        district_name,
        count(*) as row_count
    from {{ ref(model) }}
    group by department_name, province_name, district_name
    {% if not loop.last %}union all{% endif %}
{% endfor %}
