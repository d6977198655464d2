-- People at work as operators told surveyors, by round of the survey and department. A site is one answer about one
-- registration. No random sample: nothing here may be multiplied up to the sector, and workers are no registrations.
select
    survey_id,
    coalesce(left(ubigeo_code, 2), '--') as department_code,
    count(*) as site_count,
    count(workers_count) as told_site_count,
    cast(coalesce(sum(workers_count), 0) as bigint) as worker_count,
    count(case when workers_count is not null then women_workers_count end) as told_women_site_count,
    cast(coalesce(sum(case when workers_count is not null then women_workers_count end), 0) as bigint)
        as woman_worker_count,
    sum(workers_count) * 1.0 / nullif(count(workers_count), 0) as workers_per_registration,
    is_synthetic
from {{ ref('stg_partner_surveys__answers') }}
where is_current and reinfo_key is not null
group by survey_id, coalesce(left(ubigeo_code, 2), '--'), is_synthetic
order by is_synthetic, survey_id, department_code
