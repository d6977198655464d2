-- By month and department: who was cured and who is gone out of a suspension, summed over ages, are the transitions out
-- of SUSPENDIDO, and the suspended stock is what arrives at SUSPENDIDO (the departments of a stock may be corrected, so
-- over all of them).
with ours as (
    select
        month,
        is_synthetic,
        sum(suspended_count) as suspended_count,
        sum(at_risk_count) as at_risk_count,
        sum(cured_count) as cured_count,
        sum(gone_count) as gone_count
    from {{ ref('mart_registry_suspension') }}
    group by month, is_synthetic
),

theirs as (
    select
        month,
        is_synthetic,
        coalesce(sum(registration_count) filter (where to_state = 'SUSPENDIDO'), 0) as suspended_count,
        coalesce(sum(registration_count) filter (where from_state = 'SUSPENDIDO'), 0) as at_risk_count,
        coalesce(sum(registration_count) filter (where from_state = 'SUSPENDIDO' and to_state = 'VIGENTE'), 0)
            as cured_count,
        coalesce(
            sum(registration_count) filter (where from_state = 'SUSPENDIDO' and to_state in ('EXCLUIDO', 'AUSENTE')), 0
        ) as gone_count
    from {{ ref('mart_registry_transitions') }}
    group by month, is_synthetic
)

select
    theirs.month,
    theirs.is_synthetic
from theirs
left join ours on theirs.month = ours.month and theirs.is_synthetic = ours.is_synthetic
where
    coalesce(ours.suspended_count, 0) <> theirs.suspended_count
    or coalesce(ours.at_risk_count, 0) <> theirs.at_risk_count
    or coalesce(ours.cured_count, 0) <> theirs.cured_count
    or coalesce(ours.gone_count, 0) <> theirs.gone_count
