-- The low bound is not above the figure, nor the figure above the high one; what nobody
-- reported has no figure, and no claim is simulated.
select
    production_year,
    place_level,
    department_code,
    measure_code,
    claim_code,
    is_synthetic
from {{ ref('mart_invisible_copper') }}
where
    copper_low_t > copper_high_t
    or copper_t < copper_low_t
    or copper_t > copper_high_t
    or gap_low_t > gap_high_t
    or (basis_code = 'NOT_REPORTED' and copper_t is not null)
    or (basis_code = 'CLAIMED' and is_synthetic)
