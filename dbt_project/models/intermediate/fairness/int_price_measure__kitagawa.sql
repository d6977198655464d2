-- Why two departments are paid different shares of the LME value: the mix of their ores, or the prices of the same ore.
-- Over the forms of ore that both sell; shares by LME value, so that a department's rate is what was paid over what the
-- copper was worth. Sales, sellers and buyers are those of these forms, in the department with fewer, and covered_frac
-- is how much of the LME value of its sales they hold, in the department with less: the gap is that of this part. Gap =
-- mix + price.
with sales as (
    select * from {{ ref('int_sale__comparable') }}
    where department_code <> '--'
),

forms as (
    select
        year,
        kind_code,
        department_code,
        product_form_code,
        count(*) as sale_count,
        cast(sum(lme_usd) as double) as lme_usd,
        cast(sum(paid_usd) as double) / cast(sum(lme_usd) as double) as rate,
        is_synthetic
    from sales
    group by year, kind_code, department_code, product_form_code, is_synthetic
),

departments as (
    select
        year,
        kind_code,
        department_code,
        sum(lme_usd) as lme_usd,
        is_synthetic
    from forms
    group by year, kind_code, department_code, is_synthetic
),

-- Every department beside every other one, form by form that both sell.
common as (
    select
        forms.*,
        others.department_code as other_code
    from forms
    inner join forms as others
        on
            forms.year = others.year
            and forms.kind_code = others.kind_code
            and forms.product_form_code = others.product_form_code
            and forms.is_synthetic = others.is_synthetic
    where forms.department_code <> others.department_code
),

sides as (
    select
        common.year,
        common.kind_code,
        common.department_code,
        common.other_code,
        count(distinct sales.seller_key) as seller_count,
        count(distinct sales.buyer_key) as buyer_count,
        common.is_synthetic
    from common
    inner join sales
        on
            common.year = sales.year
            and common.kind_code = sales.kind_code
            and common.department_code = sales.department_code
            and common.product_form_code = sales.product_form_code
            and common.is_synthetic = sales.is_synthetic
    group by common.year, common.kind_code, common.department_code, common.other_code, common.is_synthetic
),

shared as (
    select
        *,
        sum(lme_usd) over (partition by year, kind_code, department_code, other_code, is_synthetic) as common_usd
    from common
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
        a.lme_usd / a.common_usd as a_share,
        b.lme_usd / b.common_usd as b_share,
        a.common_usd as a_common_usd,
        b.common_usd as b_common_usd,
        a.is_synthetic
    from shared as a
    inner join shared as b
        on
            a.year = b.year
            and a.kind_code = b.kind_code
            and a.product_form_code = b.product_form_code
            and a.other_code = b.department_code
            and a.department_code = b.other_code
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
        max(a_common_usd) as a_common_usd,
        max(b_common_usd) as b_common_usd,
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
        least(a.seller_count, b.seller_count) as seller_count,
        least(a.buyer_count, b.buyer_count) as buyer_count,
        cast(
            least(split.a_common_usd / a_all.lme_usd, split.b_common_usd / b_all.lme_usd) as decimal(9, 8)
        ) as covered_frac,
        split.is_synthetic
    from split
    {% for side in ['a', 'b'] -%}
        inner join sides as {{ side }}
            on
                split.year = {{ side }}.year
                and split.kind_code = {{ side }}.kind_code
                and split.{{ side }}_code = {{ side }}.department_code
                and split.{{ 'b' if side == 'a' else 'a' }}_code = {{ side }}.other_code
                and split.is_synthetic = {{ side }}.is_synthetic
        inner join departments as {{ side }}_all
            on
                split.year = {{ side }}_all.year
                and split.kind_code = {{ side }}_all.kind_code
                and split.{{ side }}_code = {{ side }}_all.department_code
                and split.is_synthetic = {{ side }}_all.is_synthetic
    {% endfor -%}
    {% if not loop.last %}union all{% endif %}
{% endfor %}
