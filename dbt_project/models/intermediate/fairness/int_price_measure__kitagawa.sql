-- Why two departments are paid different shares of the LME value: the mix of their ores, or the prices of the same ore.
-- Over the forms of ore that both sell; shares by LME value, so that a department's rate is what was paid over what the
-- copper was worth. The counts are those of the department with fewer. Gap = mix + price.
with forms as (
    select
        year,
        kind_code,
        department_code,
        product_form_code,
        count(*) as sale_count,
        cast(sum(lme_usd) as double) as lme_usd,
        cast(sum(paid_usd) as double) / cast(sum(lme_usd) as double) as rate,
        is_synthetic
    from {{ ref('int_sale__comparable') }}
    where department_code <> '--'
    group by year, kind_code, department_code, product_form_code, is_synthetic
),

sellers as (
    select
        year,
        kind_code,
        department_code,
        count(distinct operator_key) as operator_count,
        count(distinct buyer_key) as buyer_count,
        is_synthetic
    from {{ ref('int_sale__comparable') }}
    group by year, kind_code, department_code, is_synthetic
),

paired as (
    select
        a.year,
        a.kind_code,
        a.department_code as a_code,
        b.department_code as b_code,
        a.sale_count as a_count,
        b.sale_count as b_count,
        a.rate as a_rate,
        b.rate as b_rate,
        a.lme_usd
        / sum(a.lme_usd) over (partition by a.year, a.kind_code, a.department_code, b.department_code, a.is_synthetic)
            as a_share,
        b.lme_usd
        / sum(b.lme_usd) over (partition by a.year, a.kind_code, a.department_code, b.department_code, a.is_synthetic)
            as b_share,
        a.is_synthetic
    from forms as a
    inner join forms as b
        on
            a.year = b.year
            and a.kind_code = b.kind_code
            and a.product_form_code = b.product_form_code
            and a.is_synthetic = b.is_synthetic
    where a.department_code < b.department_code
),

split as (
    select
        year,
        kind_code,
        a_code,
        b_code,
        least(sum(a_count), sum(b_count)) as sale_count,
        {{ kitagawa_mix('a_share', 'a_rate', 'b_share', 'b_rate') }} as kitagawa_mix,
        {{ kitagawa_value('a_share', 'a_rate', 'b_share', 'b_rate') }} as kitagawa_price,
        is_synthetic
    from paired
    group by year, kind_code, a_code, b_code, is_synthetic
)

{% for measure in ['kitagawa_mix', 'kitagawa_price'] -%}
    select
        split.year,
        split.kind_code,
        'department' as subject_level,
        split.a_code as subject_code,
        split.b_code as other_subject_code,
        '{{ measure | upper }}' as measure_code,
        cast(split.{{ measure }} as decimal(18, 8)) as value,
        cast(null as decimal(18, 8)) as low_value,
        cast(null as decimal(18, 8)) as high_value,
        cast(split.sale_count as bigint) as sale_count,
        least(a.operator_count, b.operator_count) as operator_count,
        least(a.buyer_count, b.buyer_count) as buyer_count,
        split.is_synthetic
    from split
    inner join sellers as a
        on
            split.year = a.year
            and split.kind_code = a.kind_code
            and split.a_code = a.department_code
            and split.is_synthetic = a.is_synthetic
    inner join sellers as b
        on
            split.year = b.year
            and split.kind_code = b.kind_code
            and split.b_code = b.department_code
            and split.is_synthetic = b.is_synthetic
    {% if not loop.last %}union all{% endif %}
{% endfor %}
