-- Runs of suspension of every registration, as the files show them. A suspension began after `suspended_after`, the last
-- file that showed the registration otherwise (null: suspended when first seen), and at the latest on `suspended_from`.
with followed as (
    select
        registration_key,
        is_synthetic,
        valid_from,
        valid_to,
        changed_after,
        registry_state,
        lag(registry_state) over (partition by registration_key, is_synthetic order by valid_from) as previous_state
    from {{ ref('dim_registration') }}
),

runs as (
    select
        *,
        count(*) filter (where coalesce(previous_state, '') <> registry_state) over (
            partition by registration_key, is_synthetic order by valid_from
            rows between unbounded preceding and current row
        ) as run_number
    from followed
)

select
    registration_key,
    min(valid_from) as suspended_from,
    min_by(changed_after, valid_from) filter (where previous_state is not null) as suspended_after,
    case when count(valid_to) = count(*) then max(valid_to) end as suspended_to,
    is_synthetic
from runs
where registry_state = 'SUSPENDIDO'
group by registration_key, is_synthetic, run_number
