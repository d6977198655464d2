-- Reached of eligible, eligible of registered; no more operators than registrations.
select
    month,
    milestone_code,
    registered_registration_count,
    eligible_registration_count,
    reached_registration_count,
    eligible_operator_count,
    reached_operator_count
from {{ ref('mart_formalization_funnel') }}
where
    reached_registration_count > eligible_registration_count
    or eligible_registration_count > registered_registration_count
    or reached_operator_count > reached_registration_count
    or eligible_operator_count > eligible_registration_count
    or (reached_registration_count > 0 and reached_operator_count = 0)
