-- Every suspension of every registration, as the files show it: from the first file that shows it suspended to the
-- first one that shows it otherwise. It began after `suspended_after`, the last file that showed it in good standing.
-- Where no such file exists (suspended when first seen, back after an absence, or without a state before) it began
-- earlier than `suspended_from`, nobody knows when: its age is a lower bound (`is_at_least`).
with states as (
    select
        registration_key,
        is_synthetic,
        valid_from,
        changed_after,
        registry_state,
        lag(registry_state) over registration as state_before,
        lead(registry_state) over registration as state_after,
        lead(valid_from) over registration as next_from,
        lead(changed_after) over registration as next_after
    from {{ ref('dim_registration') }}
    window registration as (partition by registration_key, is_synthetic order by valid_from)
),

-- Intervals of one suspension follow one another where only an attribute changed.
numbered as (
    select
        *,
        count(*) filter (where coalesce(state_before, 'NONE') <> 'SUSPENDIDO') over (
            partition by registration_key, is_synthetic order by valid_from
        ) as suspension_number
    from states
    where registry_state = 'SUSPENDIDO'
)

select
    registration_key,
    min(valid_from) as suspended_from,
    arg_min(changed_after, valid_from) filter (where state_before = 'VIGENTE') as suspended_after,
    coalesce(arg_min(state_before, valid_from) filter (where state_before <> 'SUSPENDIDO'), 'NONE') <> 'VIGENTE'
        as is_at_least,
    max(next_from) filter (where state_after <> 'SUSPENDIDO') as ended_on,
    max(next_after) filter (where state_after <> 'SUSPENDIDO') as ended_after,
    max(state_after) filter (where state_after <> 'SUSPENDIDO') as end_state,
    is_synthetic
from numbered
group by registration_key, is_synthetic, suspension_number
