{% set terms = ['grade', 'log_mass', 'is_good_standing'] %}
-- What women who run an operation are paid more or less than men for comparable ore, in logarithms: what operators sell
-- themselves whose sex a source that asked them tells, with the same terms as the hedonic residual. What a collector is
-- paid says nothing of who mined it. The interval counts sellers, as that of the residual; the parameters are a mean
-- for every cell, the terms and the gap. The least counts hold for women and men each, so the smaller of both counts is
-- told.
with sales as (
    select * from {{ ref('int_sale__comparable') }}
    where operator_sex_code in ('F', 'M') and seller_role_code = 'OPERATOR'
),

{{ partialled_out(
    'sales',
    ['is_synthetic', 'kind_code', 'year'],
    ['product_form_code', 'month'],
    terms,
    ['is_womans', 'log_paid'],
) }},

slopes as (
    select
        year,
        kind_code,
        count(*) as sale_count,
        count(distinct seller_key) as seller_count,
        count(distinct buyer_key) as buyer_count,
        count(*) filter (where is_womans = 1) as womens_sale_count,
        count(distinct seller_key) filter (where is_womans = 1) as womens_seller_count,
        count(distinct seller_key) filter (where is_womans = 0) as mens_seller_count,
        count(distinct product_form_code || '|' || cast(month as varchar)) + {{ terms | length + 1 }}
            as parameter_count,
        cast(sum({{ steady('is_womans_rest * is_womans_rest') }}) as double) as square,
        cast(sum({{ steady('is_womans_rest * log_paid_rest') }}) as double)
        / nullif(cast(sum({{ steady('is_womans_rest * is_womans_rest') }}) as double), 0) as gap,
        is_synthetic
    from partialled_out
    group by year, kind_code, is_synthetic
),

by_seller as (
    select
        sales.year,
        sales.kind_code,
        sum({{ steady(
            'sales.is_womans_rest * (sales.log_paid_rest - slopes.gap * sales.is_womans_rest)'
        ) }}) as score,
        sales.is_synthetic
    from partialled_out as sales
    inner join slopes
        on
            sales.year = slopes.year
            and sales.kind_code = slopes.kind_code
            and sales.is_synthetic = slopes.is_synthetic
    group by sales.year, sales.kind_code, sales.seller_key, sales.is_synthetic
),

squares as (
    select
        year,
        kind_code,
        cast(sum({{ steady('cast(score as double) * cast(score as double)') }}) as double) as square,
        is_synthetic
    from by_seller
    group by year, kind_code, is_synthetic
),

widths as (
    select
        slopes.*,
        {{ student_t('(slopes.seller_count - 1)') }}
        * sqrt(
            {{ few_clusters('slopes.seller_count', 'slopes.sale_count', 'slopes.parameter_count') }} * squares.square
        ) / slopes.square as half_width
    from slopes
    inner join squares
        on
            slopes.year = squares.year
            and slopes.kind_code = squares.kind_code
            and slopes.is_synthetic = squares.is_synthetic
    where slopes.square > 0
)

select
    year,
    kind_code,
    'country' as subject_level,
    'PE' as subject_code,
    '--' as other_subject_code,
    'SEX_GAP' as measure_code,
    cast(gap as decimal(18, 8)) as value,
    cast(gap - half_width as decimal(18, 8)) as low_value,
    cast(gap + half_width as decimal(18, 8)) as high_value,
    least(womens_sale_count, sale_count - womens_sale_count) as sale_count,
    least(womens_seller_count, mens_seller_count) as seller_count,
    buyer_count,
    cast(null as decimal(9, 8)) as covered_frac,
    is_synthetic
from widths
