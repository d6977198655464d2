-- Every registration from one month's end to the next: the state that it had (NONE: not known yet) and the one that it
-- has. One whose department is corrected counts where it stood before.
select
    coalesce(after.month, {{ months_after('before.month', 1) }}) as month,
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
        and after.month = {{ months_after('before.month', 1) }}
