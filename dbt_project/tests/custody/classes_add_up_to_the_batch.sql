-- Copper by class is the batch's copper to the gram, the states of those without good standing are that class, and the
-- shares are one whole.
select
    scope_code,
    batch_key,
    is_synthetic
from {{ ref('mart_chain_of_custody') }}
where
    copper_g
    <> good_standing_g + no_good_standing_g + blend_differs_g + others_registration_g + not_told_g + not_traced_g
    or no_good_standing_g <> suspended_g + excluded_g + absent_g + not_in_registry_g
    or own_good_g < good_standing_g
    or paper_good_g < good_standing_g
    or abs(
        good_standing_of_copper_frac + no_good_standing_of_copper_frac + blend_differs_of_copper_frac
        + others_registration_of_copper_frac + not_told_of_copper_frac + not_traced_of_copper_frac - 1
    ) > 1e-12
