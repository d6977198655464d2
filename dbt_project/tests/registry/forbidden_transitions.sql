{{ config(severity='warn') }}
-- A warning since 2026-11-25, owner: registry. The registry itself may break its rules; each case is looked at.
select
    month,
    department_code,
    from_state,
    to_state,
    registration_count
from {{ ref('mart_registry_transitions') }}
where not is_allowed
