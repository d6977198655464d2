-- From one month's end to the next: how many registrations went from which state to which, by department. Allowed
-- and forbidden transitions: seed registry_allowed_transitions. A registration whose department is corrected counts
-- where it stood before.
select
    pairs.month,
    coalesce(pairs.department_code, '--') as department_code,
    pairs.from_state,
    pairs.to_state,
    count(*) as registration_count,
    coalesce(bool_and(allowed.is_allowed), false) as is_allowed,
    pairs.is_synthetic
from {{ ref('int_registry__moves') }} as pairs
left join {{ ref('registry_allowed_transitions') }} as allowed
    on pairs.from_state = allowed.from_state and pairs.to_state = allowed.to_state
group by pairs.month, coalesce(pairs.department_code, '--'), pairs.from_state, pairs.to_state, pairs.is_synthetic
order by pairs.is_synthetic, pairs.month, department_code, pairs.from_state, pairs.to_state
