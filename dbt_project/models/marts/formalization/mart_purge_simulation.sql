-- What each set of rules would have done to every registration in the registry on its date, as far as the sources tell,
-- beside what the first whole file after it shows. Sets and dates are data (seed purge_rule_sets); any other date can
-- be asked of the table macro `marts.purge_simulated_on`, which holds the same rules.
{{ config(post_hook="{{ purge_macro() }}") }}
with simulated as (
    {{ purge_simulated(ref('purge_rule_sets')) }}
)

select
    rule_set_code,
    evaluation_date,
    registration_key,
    department_code,
    registry_state,
    listed_date,
    is_projected,
    is_hypothetical,
    has_filed_instrument,
    is_active_taxpayer,
    has_declared,
    blocking_milestone_code,
    suspended_days_at_least,
    suspended_days_at_most,
    would_be_suspended,
    would_be_excluded,
    reason_code,
    unproven_codes,
    predicted_code,
    outcome_date,
    outcome_code,
    agrees,
    is_synthetic
from simulated
order by is_synthetic, rule_set_code, evaluation_date, registration_key
