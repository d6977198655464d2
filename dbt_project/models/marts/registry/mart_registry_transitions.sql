-- From one month's end to the next: how many registrations went from which state to which, by department. Allowed
-- and forbidden transitions: seed registry_allowed_transitions. A registration whose department is corrected counts
-- where it stood before.
with pairs as (
    select
        coalesce(after.month, cast(before.month + interval 1 month as date)) as month,
        coalesce(before.registration_key, after.registration_key) as registration_key,
        coalesce(before.department_code, after.department_code) as department_code,
        coalesce(before.registry_state, 'NONE') as from_state,
        after.registry_state as to_state,
        coalesce(before.is_synthetic, after.is_synthetic) as is_synthetic
    from {{ ref('int_registry__month_ends') }} as after
    left join {{ ref('int_registry__month_ends') }} as before
        on
            after.registration_key = before.registration_key
            and after.is_synthetic = before.is_synthetic
            and after.month = before.month + interval 1 month
)

select
    pairs.month,
    coalesce(pairs.department_code, '--') as department_code,
    pairs.from_state,
    pairs.to_state,
    count(*) as registration_count,
    coalesce(bool_and(allowed.is_allowed), false) as is_allowed,
    pairs.is_synthetic
from pairs
left join {{ ref('registry_allowed_transitions') }} as allowed
    on pairs.from_state = allowed.from_state and pairs.to_state = allowed.to_state
group by pairs.month, coalesce(pairs.department_code, '--'), pairs.from_state, pairs.to_state, pairs.is_synthetic
order by pairs.is_synthetic, pairs.month, department_code, pairs.from_state, pairs.to_state
