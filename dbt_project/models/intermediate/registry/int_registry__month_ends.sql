-- The state of every registration on the last day of every month between the first and the last file.
with months as (
    select
        is_synthetic,
        {{ months_from('min(source_as_of)', 'max(source_as_of)') }} as month
    from {{ ref('int_registry__files_judged') }}
    group by is_synthetic
)

select
    months.month,
    registrations.registration_key,
    registrations.department_code,
    registrations.registry_state,
    registrations.registry_state not in ('AUSENTE', 'EXCLUIDO') as is_in_stock,
    registrations.is_synthetic
from months
inner join {{ ref('dim_registration') }} as registrations
    on
        months.is_synthetic = registrations.is_synthetic
        and registrations.valid_from < months.month + interval 1 month
        and coalesce(registrations.valid_to >= months.month + interval 1 month, true)
