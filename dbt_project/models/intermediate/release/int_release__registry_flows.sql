-- What each party adds to the published flows of the registry, by month and department: registrations that came,
-- returned, were excluded, vanished, were suspended or cured. Parties' keys: nothing of this is published.
select
    coalesce(moves.department_code, '--') as ubigeo_code,
    moves.month,
    registrations.party_key as holding_key,
    cast(null as varchar) as buyer_key,
    count(*) filter (where moves.from_state = 'NONE' and moves.to_state not in ('AUSENTE', 'EXCLUIDO')) as new_count,
    count(*) filter (
        where moves.from_state in ('AUSENTE', 'EXCLUIDO') and moves.to_state not in ('AUSENTE', 'EXCLUIDO')
    ) as returned_count,
    count(*) filter (
        where moves.from_state not in ('NONE', 'AUSENTE', 'EXCLUIDO') and moves.to_state = 'EXCLUIDO'
    ) as excluded_count,
    count(*) filter (
        where moves.from_state not in ('NONE', 'AUSENTE', 'EXCLUIDO') and moves.to_state = 'AUSENTE'
    ) as absent_count,
    count(*) filter (where moves.from_state = 'VIGENTE' and moves.to_state = 'SUSPENDIDO') as suspended_count,
    count(*) filter (where moves.from_state = 'SUSPENDIDO' and moves.to_state = 'VIGENTE') as cured_count,
    moves.is_synthetic
from {{ ref('int_registry__moves') }} as moves
inner join {{ ref('dim_registration') }} as registrations
    on
        moves.registration_key = registrations.registration_key
        and moves.is_synthetic = registrations.is_synthetic
        and registrations.is_current
where moves.from_state <> moves.to_state
group by coalesce(moves.department_code, '--'), moves.month, registrations.party_key, moves.is_synthetic
