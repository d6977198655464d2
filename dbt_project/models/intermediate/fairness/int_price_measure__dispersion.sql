-- Dispersion of what was paid for a unit of the LME value contained, by year, stage and place: Gini, Theil's T whole
-- and split within and between buyers and the places one level below, coefficient of variation, P90 over P10.
{% set levels = {'country': "'PE'", 'department': 'department_code', 'district': 'district_code'} %}
{% set below = {'country': 'department_code', 'department': 'district_code'} %}
with sales as (
    {% for level, place in levels.items() -%}
        select
            year,
            kind_code,
            '{{ level }}' as place_level,
            {{ place }} as place_code,
            {{ below.get(level, 'district_code') }} as part_code,
            seller_key,
            buyer_key,
            cast(paid_frac as decimal(18, 8)) as paid_frac,
            is_synthetic
        from {{ ref('int_sale__comparable') }}
        where {{ place }} <> '--'
        {% if not loop.last %}union all{% endif %}
    {% endfor -%}
),

ranked as (
    select
        *,
        cast(paid_frac as double) * ln(cast(paid_frac as double)) as paid_log_paid,
        row_number() over (
            partition by year, kind_code, place_level, place_code, is_synthetic order by paid_frac
        ) as rank_ascending
    from sales
),

places as (
    select
        year,
        kind_code,
        place_level,
        place_code,
        count(*) as sale_count,
        count(distinct seller_key) as seller_count,
        count(distinct buyer_key) as buyer_count,
        {{ gini('paid_frac', 'rank_ascending') }} as gini,
        sum({{ steady('paid_log_paid') }}) as paid_log_paid,
        sum(paid_frac) as paid,
        stddev_samp(paid_frac) / avg(paid_frac) as variation,
        quantile_cont(cast(paid_frac as double), 0.9) / quantile_cont(cast(paid_frac as double), 0.1) as p90_p10,
        is_synthetic
    from ranked
    group by year, kind_code, place_level, place_code, is_synthetic
),

{% for split, member in {'buyers': 'buyer_key', 'parts': 'part_code'}.items() -%}
    {{ split }} as (
        select
            year,
            kind_code,
            place_level,
            place_code,
            {{ member }} as member,
            count(*) as sale_count,
            cast(sum(paid_frac) as double) as paid,
            {{ theil_t('sum(' ~ steady('paid_log_paid') ~ ')', 'sum(paid_frac)', 'count(*)') }} as theil,
            is_synthetic
        from ranked
        {% if split == 'parts' %}where place_level <> 'district'{% endif %}
        group by year, kind_code, place_level, place_code, {{ member }}, is_synthetic
    ),

    between_{{ split }} as (
        select
            year,
            kind_code,
            place_level,
            place_code,
            {{ theil_within('paid', 'theil') }} as theil_within,
            {{ theil_between('paid', 'sale_count') }} as theil_between,
            is_synthetic
        from {{ split }}
        group by year, kind_code, place_level, place_code, is_synthetic
    ),

{% endfor -%}
measured as (
    select
        places.*,
        {{ theil_t('places.paid_log_paid', 'places.paid', 'places.sale_count') }} as theil,
        between_buyers.theil_within as theil_within_buyers,
        between_buyers.theil_between as theil_between_buyers,
        between_parts.theil_within as theil_within_places,
        between_parts.theil_between as theil_between_places
    from places
    {% for split in ['buyers', 'parts'] -%}
        left join between_{{ split }}
            on
                places.year = between_{{ split }}.year
                and places.kind_code = between_{{ split }}.kind_code
                and places.place_level = between_{{ split }}.place_level
                and places.place_code = between_{{ split }}.place_code
                and places.is_synthetic = between_{{ split }}.is_synthetic
    {% endfor -%}
)

{% for measure in [
    'gini', 'theil', 'theil_within_buyers', 'theil_between_buyers', 'theil_within_places', 'theil_between_places',
    'variation', 'p90_p10'
] -%}
    select
        year,
        kind_code,
        place_level as subject_level,
        place_code as subject_code,
        '--' as other_subject_code,
        '{{ measure | upper }}' as measure_code,
        cast({{ measure }} as decimal(18, 8)) as value,
        cast(null as decimal(18, 8)) as low_value,
        cast(null as decimal(18, 8)) as high_value,
        sale_count,
        seller_count,
        buyer_count,
        cast(null as decimal(9, 8)) as covered_frac,
        is_synthetic
    from measured
    {% if measure.endswith('places') %}where place_level <> 'district'{% endif %}
    {% if not loop.last %}union all{% endif %}
{% endfor %}
