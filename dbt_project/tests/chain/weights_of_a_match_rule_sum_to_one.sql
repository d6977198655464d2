-- A score is a share of all that a rule looks at, and what a rule weighs has a tolerance.
select match_code, least_score
from {{ ref('match_rules') }}
where
    date_weight + value_weight + mass_weight + plate_weight + carrier_weight + party_weight <> 1
    or (value_weight > 0) <> (value_tolerance_frac > 0)
    or (mass_weight > 0) <> (mass_tolerance_frac > 0)
