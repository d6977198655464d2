-- What each party adds to the published funnel at the end of every year and of the last quarter that is over, by
-- province and sex: eligible registrations and those of them that reached each milestone. Parties' keys: nothing of
-- this is published.
{% set milestones = [
    'IGAFOM_PRESENTADO', 'IGAFOM_APROBADO', 'TERRENO_SUPERFICIAL', 'DERECHO_MINERO', 'RESTOS_ARQUEOLOGICOS',
    'EXPEDIENTE_TECNICO', 'AUTORIZACION'
] %}
with quarters as (
    select
        is_synthetic,
        max(month) as last_month
    from {{ ref('mart_formalization_progress') }}
    where extract(month from month) in (3, 6, 9, 12)
    group by is_synthetic
)

select
    case
        when dimensions.province_code = '--' then dimensions.department_code || '--'
        else dimensions.province_code
    end as ubigeo_code,
    progress.month,
    case when dimensions.sex_code in ('F', 'M') then dimensions.sex_code else '--' end as sex_code,
    dimensions.party_key as holding_key,
    cast(null as varchar) as buyer_key,
    count(*) as eligible_count,
    {% for code in milestones -%}
        count(*) filter (where progress.has_{{ code | lower }}) as {{ code | lower }}_count,
    {% endfor -%}
    progress.is_synthetic
from {{ ref('mart_formalization_progress') }} as progress
inner join {{ ref('int_formalization__dimensions') }} as dimensions
    on
        progress.registration_key = dimensions.registration_key
        and progress.is_synthetic = dimensions.is_synthetic
inner join quarters on progress.is_synthetic = quarters.is_synthetic
where progress.is_eligible and (extract(month from progress.month) = 12 or progress.month = quarters.last_month)
group by
    dimensions.department_code, dimensions.province_code, dimensions.sex_code, progress.month, dimensions.party_key,
    progress.is_synthetic
