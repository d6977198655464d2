-- Measures of how ore is paid: dispersion, concentration of buyers, what a buyer or place pays beside comparable sales,
-- the gap between women and men, and why departments differ. Where too few sales or sellers stand behind one, its value
-- is empty and its counts are told: the one sale of a district has one buyer, which says nothing of a monopoly.
with measures as (
    {% for family in ['dispersion', 'concentration', 'residual', 'sex_gap', 'kitagawa'] -%}
        select * from {{ ref('int_price_measure__' ~ family) }}
        {% if not loop.last %}union all{% endif %}
    {% endfor -%}
),

judged as (
    select
        *,
        sale_count >= {{ price_measure_rule('SALES_LEAST') }}
        and seller_count >= {{ price_measure_rule('SELLERS_LEAST') }} as is_given
    from measures
)

select
    year,
    kind_code,
    measure_code,
    subject_level,
    subject_code,
    other_subject_code,
    case when is_given then value end as value,
    case when is_given then low_value end as low_value,
    case when is_given then high_value end as high_value,
    is_given,
    sale_count,
    seller_count,
    buyer_count,
    covered_frac,
    is_synthetic
from judged
order by is_synthetic, year, kind_code, measure_code, subject_level, subject_code, other_subject_code
