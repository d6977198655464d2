-- What ore without a certificate may hold: quantiles of grade and moisture over the certified loads of its form, and of
-- all forms for a form without any (product_form_code empty). The quantiles are data; every value is one that some
-- certificate shows.
with forms as (
    select distinct product_form_code
    from {{ ref('ref_copper_assumption') }}
    where assumption_code = 'RECOVERY'
),

loads as (
    select grades.*
    from {{ ref('int_copper__lot_grades') }} as grades
    inner join forms on grades.product_form_code = forms.product_form_code
    where grades.lot_kind_code = 'LOAD'
),

sought as (
    select
        product_form_code,
        cu_pct,
        moisture_pct,
        is_synthetic
    from loads

    union all

    select
        cast(null as varchar) as product_form_code,
        cu_pct,
        moisture_pct,
        is_synthetic
    from loads
),

ranked as (
    select
        *,
        row_number() over (partition by product_form_code, is_synthetic order by cu_pct) as cu_rank,
        row_number() over (partition by product_form_code, is_synthetic order by moisture_pct) as moisture_rank,
        count(*) over (partition by product_form_code, is_synthetic) as load_count
    from sought
),

quantiles as (
    select
        max(case when assumption_code = 'IMPUTED_GRADE_QUANTILE' then low_value end) as cu_low,
        max(case when assumption_code = 'IMPUTED_GRADE_QUANTILE' then value end) as cu_middle,
        max(case when assumption_code = 'IMPUTED_GRADE_QUANTILE' then high_value end) as cu_high,
        max(case when assumption_code = 'IMPUTED_MOISTURE_QUANTILE' then low_value end) as moisture_low,
        max(case when assumption_code = 'IMPUTED_MOISTURE_QUANTILE' then value end) as moisture_middle,
        max(case when assumption_code = 'IMPUTED_MOISTURE_QUANTILE' then high_value end) as moisture_high
    from {{ ref('ref_copper_assumption') }}
)

select
    ranked.product_form_code,
    min(case when ranked.cu_rank >= quantiles.cu_low * ranked.load_count then ranked.cu_pct end) as cu_low_pct,
    min(case when ranked.cu_rank >= quantiles.cu_middle * ranked.load_count then ranked.cu_pct end) as cu_pct,
    min(case when ranked.cu_rank >= quantiles.cu_high * ranked.load_count then ranked.cu_pct end) as cu_high_pct,
    {% for bound in ['low', 'middle', 'high'] -%}
        min(
            case
                when ranked.moisture_rank >= quantiles.moisture_{{ bound }} * ranked.load_count then ranked.moisture_pct
            end
        ) as moisture_{{ bound ~ '_' if bound != 'middle' }}pct,
    {% endfor -%}
    max(ranked.load_count) as load_count,
    ranked.is_synthetic
from ranked
cross join quantiles
group by ranked.product_form_code, ranked.is_synthetic
