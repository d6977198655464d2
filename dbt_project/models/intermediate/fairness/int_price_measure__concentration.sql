-- How few buyers take a place's ore, by copper bought in a year: Herfindahl-Hirschman index and the largest buyers'
-- share.
{% set levels = {'country': "'PE'", 'department': 'department_code', 'district': 'district_code'} %}
with sales as (
    {% for level, place in levels.items() -%}
        select
            year,
            kind_code,
            '{{ level }}' as subject_level,
            {{ place }} as subject_code,
            seller_key,
            buyer_key,
            copper_t,
            is_synthetic
        from {{ ref('int_sale__comparable') }}
        where {{ place }} <> '--'
        {% if not loop.last %}union all{% endif %}
    {% endfor -%}
),

sellers as (
    select
        year,
        kind_code,
        subject_level,
        subject_code,
        count(*) as sale_count,
        count(distinct seller_key) as seller_count,
        is_synthetic
    from sales
    group by year, kind_code, subject_level, subject_code, is_synthetic
),

buyers as (
    select
        year,
        kind_code,
        subject_level,
        subject_code,
        cast(sum(copper_t) as double) as copper_t,
        row_number() over (
            partition by year, kind_code, subject_level, subject_code, is_synthetic
            order by sum(copper_t) desc, buyer_key asc
        ) as rank_descending,
        is_synthetic
    from sales
    group by year, kind_code, subject_level, subject_code, buyer_key, is_synthetic
),

measured as (
    select
        year,
        kind_code,
        subject_level,
        subject_code,
        count(*) as buyer_count,
        {{ hhi('copper_t') }} as hhi,
        {{ concentration_ratio('copper_t', 'rank_descending', price_measure_rule('LARGEST_BUYERS')) }} as cr4,
        is_synthetic
    from buyers
    group by year, kind_code, subject_level, subject_code, is_synthetic
)

{% for measure in ['hhi', 'cr4'] -%}
    select
        measured.year,
        measured.kind_code,
        measured.subject_level,
        measured.subject_code,
        '--' as other_subject_code,
        '{{ measure | upper }}' as measure_code,
        cast(measured.{{ measure }} as decimal(18, 8)) as value,
        cast(null as decimal(18, 8)) as low_value,
        cast(null as decimal(18, 8)) as high_value,
        sellers.sale_count,
        sellers.seller_count,
        measured.buyer_count,
        cast(null as decimal(9, 8)) as covered_frac,
        measured.is_synthetic
    from measured
    inner join sellers
        on
            measured.year = sellers.year
            and measured.kind_code = sellers.kind_code
            and measured.subject_level = sellers.subject_level
            and measured.subject_code = sellers.subject_code
            and measured.is_synthetic = sellers.is_synthetic
    {% if not loop.last %}union all{% endif %}
{% endfor %}
