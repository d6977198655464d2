-- What a buyer, a department or a district pays (or is paid) above or below comparable sales: the mean hedonic
-- residual, in logarithms (0.05 is about 5 % more), with an interval that counts sellers, not sales: sales of one
-- seller are alike. Sellers are few: the variance is widened for their number (CR1), and the quantile is Student's.
{% set levels = {'buyer': 'buyer_key', 'department': 'department_code', 'district': 'district_code'} %}
with sales as (
    {% for level, subject in levels.items() -%}
        select
            year,
            kind_code,
            '{{ level }}' as subject_level,
            {{ subject }} as subject_code,
            seller_key,
            buyer_key,
            log_paid_rest,
            is_synthetic
        from {{ ref('int_sale__adjusted') }}
        where {{ subject }} <> '--'
        {% if not loop.last %}union all{% endif %}
    {% endfor -%}
),

means as (
    select
        year,
        kind_code,
        subject_level,
        subject_code,
        count(*) as sale_count,
        count(distinct seller_key) as seller_count,
        count(distinct buyer_key) as buyer_count,
        cast(sum({{ steady('log_paid_rest') }}) as double) / count(*) as mean_rest,
        is_synthetic
    from sales
    group by year, kind_code, subject_level, subject_code, is_synthetic
),

by_seller as (
    select
        sales.year,
        sales.kind_code,
        sales.subject_level,
        sales.subject_code,
        sum({{ steady('sales.log_paid_rest - means.mean_rest') }}) as deviation,
        sales.is_synthetic
    from sales
    inner join means
        on
            sales.year = means.year
            and sales.kind_code = means.kind_code
            and sales.subject_level = means.subject_level
            and sales.subject_code = means.subject_code
            and sales.is_synthetic = means.is_synthetic
    group by
        sales.year, sales.kind_code, sales.subject_level, sales.subject_code, sales.seller_key, sales.is_synthetic
),

squares as (
    select
        year,
        kind_code,
        subject_level,
        subject_code,
        cast(sum({{ steady('cast(deviation as double) * cast(deviation as double)') }}) as double) as square,
        is_synthetic
    from by_seller
    group by year, kind_code, subject_level, subject_code, is_synthetic
),

widths as (
    select
        means.*,
        {{ student_t('(means.seller_count - 1)') }}
        * sqrt({{ few_clusters('means.seller_count', 'means.sale_count', 1) }} * squares.square) / means.sale_count
            as half_width
    from means
    inner join squares
        on
            means.year = squares.year
            and means.kind_code = squares.kind_code
            and means.subject_level = squares.subject_level
            and means.subject_code = squares.subject_code
            and means.is_synthetic = squares.is_synthetic
)

select
    year,
    kind_code,
    subject_level,
    subject_code,
    '--' as other_subject_code,
    'RESIDUAL' as measure_code,
    cast(mean_rest as decimal(18, 8)) as value,
    cast(mean_rest - half_width as decimal(18, 8)) as low_value,
    cast(mean_rest + half_width as decimal(18, 8)) as high_value,
    sale_count,
    seller_count,
    buyer_count,
    cast(null as decimal(9, 8)) as covered_frac,
    is_synthetic
from widths
