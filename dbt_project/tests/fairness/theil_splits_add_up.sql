-- Theil's T is the sum of what lies within and between buyers, and within and between places.
with measures as (
    select
        year,
        kind_code,
        subject_level,
        subject_code,
        is_synthetic,
        max(case when measure_code = 'THEIL' then value end) as whole,
        max(case when measure_code = 'THEIL_WITHIN_BUYERS' then value end)
        + max(case when measure_code = 'THEIL_BETWEEN_BUYERS' then value end) as by_buyers,
        max(case when measure_code = 'THEIL_WITHIN_PLACES' then value end)
        + max(case when measure_code = 'THEIL_BETWEEN_PLACES' then value end) as by_places
    from {{ ref('int_price_measure__dispersion') }}
    group by year, kind_code, subject_level, subject_code, is_synthetic
)

select *
from measures
where
    abs(whole - by_buyers) > 0.00000003
    or (subject_level <> 'district' and abs(whole - by_places) > 0.00000003)
    or by_buyers is null
    or whole < -0.00000001
