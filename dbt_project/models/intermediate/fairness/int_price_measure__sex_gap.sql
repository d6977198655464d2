-- What women who run an operation are paid more or less than men for comparable ore, in logarithms: sales of operators
-- whose sex a source that asked them tells, with the same terms as the hedonic residual. The interval counts operators.
-- The least counts hold for women and men each, so the smaller of both counts is told.
with sales as (
    select * from {{ ref('int_sale__comparable') }}
    where operator_sex_code in ('F', 'M')
),

{{ partialled_out(
    'sales',
    ['is_synthetic', 'kind_code', 'year'],
    ['product_form_code', 'month'],
    ['grade', 'log_mass', 'is_good_standing'],
    ['is_womans', 'log_paid'],
) }},

slopes as (
    select
        year,
        kind_code,
        count(*) as sale_count,
        count(distinct buyer_key) as buyer_count,
        count(*) filter (where is_womans = 1) as womens_sale_count,
        count(distinct operator_key) filter (where is_womans = 1) as womens_operator_count,
        count(distinct operator_key) filter (where is_womans = 0) as mens_operator_count,
        cast(sum({{ steady('is_womans_rest * is_womans_rest') }}) as double) as square,
        cast(sum({{ steady('is_womans_rest * log_paid_rest') }}) as double)
        / nullif(cast(sum({{ steady('is_womans_rest * is_womans_rest') }}) as double), 0) as gap,
        is_synthetic
    from partialled_out
    group by year, kind_code, is_synthetic
),

by_operator as (
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
    group by sales.year, sales.kind_code, sales.operator_key, sales.is_synthetic
),

errors as (
    select
        year,
        kind_code,
        sqrt(cast(sum({{ steady('cast(score as double) * cast(score as double)') }}) as double)) as score,
        is_synthetic
    from by_operator
    group by year, kind_code, is_synthetic
)

select
    slopes.year,
    slopes.kind_code,
    'country' as subject_level,
    'PE' as subject_code,
    '--' as other_subject_code,
    'SEX_GAP' as measure_code,
    cast(slopes.gap as decimal(18, 8)) as value,
    cast(slopes.gap - {{ price_measure_rule('CONFIDENCE_Z') }} * errors.score / slopes.square as decimal(18, 8))
        as low_value,
    cast(slopes.gap + {{ price_measure_rule('CONFIDENCE_Z') }} * errors.score / slopes.square as decimal(18, 8))
        as high_value,
    least(slopes.womens_sale_count, slopes.sale_count - slopes.womens_sale_count) as sale_count,
    least(slopes.womens_operator_count, slopes.mens_operator_count) as operator_count,
    slopes.buyer_count,
    slopes.is_synthetic
from slopes
inner join errors
    on
        slopes.year = errors.year
        and slopes.kind_code = errors.kind_code
        and slopes.is_synthetic = errors.is_synthetic
where slopes.square > 0
