-- One current row per registration, and no two intervals of it overlap or leave a gap.
select registration_key, is_synthetic
from {{ ref('dim_registration') }}
group by registration_key, is_synthetic
having
    count(*) filter (where is_current) <> 1
    or count(*) filter (where valid_to is null) <> 1
    or count(*) filter (where valid_to <= valid_from) > 0
