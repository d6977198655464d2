{{ config(meta={'trace': {'parent': 'stg_partner_step_events__events', 'on': ['event_id', 'is_synthetic']}}) }}
-- Ore that registrants declare half-yearly, beside what the strata of small mining may mine in those days
-- (ref_stratum_capacity). No file tells the stratum of a registrant: more than an artisanal producer may is a question,
-- more than a small producer may is beyond what the regime allows to anybody. Of several declarations for one half-year
-- the last one counts.
with declared as (
    select
        *,
        count(*) over (partition by reinfo_key, semester, is_synthetic) as declaration_count,
        row_number() over (
            partition by reinfo_key, semester, is_synthetic order by event_date desc, event_id desc
        ) as nth,
        cast(left(semester, 4) as integer) as year_number,
        right(semester, 1) = '1' as is_first_half
    from {{ ref('stg_partner_step_events__events') }}
    where
        is_current
        and step_code = 'DECLARACION_SEMESTRAL'
        and reinfo_key is not null
        and semester is not null
        and declared_t is not null
),

half_years as (
    select
        *,
        make_date(year_number, case when is_first_half then 1 else 7 end, 1) as first_day,
        make_date(year_number, case when is_first_half then 6 else 12 end, case when is_first_half then 30 else 31 end)
            as last_day
    from declared
    where nth = 1
),

capacities as (
    select
        max(case when stratum_code = 'PMA' then t_per_day end) as pma_t_per_day,
        max(case when stratum_code = 'PPM' then t_per_day end) as ppm_t_per_day
    from {{ ref('ref_stratum_capacity') }}
),

compared as (
    select
        half_years.*,
        {{ capacity_t('capacities.pma_t_per_day', 'half_years.first_day', 'half_years.last_day') }} as pma_capacity_t,
        {{ capacity_t('capacities.ppm_t_per_day', 'half_years.first_day', 'half_years.last_day') }} as ppm_capacity_t
    from half_years
    cross join capacities
)

select
    reinfo_key,
    semester,
    party_key,
    event_id,
    event_date as declared_date,
    ubigeo_code,
    declared_mineral_code,
    declaration_count,
    first_day,
    last_day,
    cast(declared_t as decimal(14, 3)) as declared_wmt,
    cast(pma_capacity_t as bigint) as pma_capacity_t,
    cast(ppm_capacity_t as bigint) as ppm_capacity_t,
    cast(declared_t / pma_capacity_t as decimal(12, 4)) as declared_of_pma_capacity_frac,
    cast(declared_t / ppm_capacity_t as decimal(12, 4)) as declared_of_ppm_capacity_frac,
    case
        when declared_t > ppm_capacity_t then 'OVER_PPM_CAPACITY'
        when declared_t > pma_capacity_t then 'OVER_PMA_CAPACITY'
        else 'WITHIN_CAPACITY'
    end as capacity_code,
    is_synthetic
from compared
order by is_synthetic, semester, reinfo_key
