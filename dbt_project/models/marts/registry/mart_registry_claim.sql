-- Every published total beside our own count of the same day, measured and simulated apart. The claims conflict with
-- one another: the difference stays visible, nothing is adjusted. Our count is null before the first file.
with counted as (
    select
        claims.claim_code,
        registrations.is_synthetic,
        count(*) filter (where registrations.registry_state not in ('AUSENTE', 'EXCLUIDO')) as registration_count,
        count(distinct case
            when registrations.registry_state not in ('AUSENTE', 'EXCLUIDO') then registrations.party_key
        end) as operator_count,
        count(*) filter (where registrations.registry_state = 'VIGENTE') as vigente_count,
        count(*) filter (where registrations.registry_state = 'SUSPENDIDO') as suspendido_count,
        count(*) filter (where registrations.registry_state in ('AUSENTE', 'EXCLUIDO')) as gone_count
    from {{ ref('ref_published_claim') }} as claims
    inner join {{ ref('dim_registration') }} as registrations
        on
            claims.as_of_date >= registrations.valid_from
            and coalesce(claims.as_of_date < registrations.valid_to, true)
    group by claims.claim_code, registrations.is_synthetic
),

marks as (
    select distinct is_synthetic from {{ ref('dim_registration') }}
)

select
    claims.claim_code,
    claims.as_of_date,
    claims.measure_code,
    claims.claimed_value,
    case claims.measure_code
        when 'REGISTRATIONS' then counted.registration_count
        when 'OPERATORS' then counted.operator_count
        when 'VIGENTE' then counted.vigente_count
        when 'SUSPENDIDO' then counted.suspendido_count
        when 'EXCLUDED' then counted.gone_count
    end as counted_value,
    case claims.measure_code
        when 'REGISTRATIONS' then counted.registration_count
        when 'OPERATORS' then counted.operator_count
        when 'VIGENTE' then counted.vigente_count
        when 'SUSPENDIDO' then counted.suspendido_count
        when 'EXCLUDED' then counted.gone_count
    end - claims.claimed_value as difference,
    claims.source,
    marks.is_synthetic
from {{ ref('ref_published_claim') }} as claims
cross join marks
left join counted on claims.claim_code = counted.claim_code and marks.is_synthetic = counted.is_synthetic
order by marks.is_synthetic, claims.as_of_date, claims.claim_code
