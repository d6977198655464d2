{{ config(meta={'trace': {
    'parent': 'int_production__copper',
    'on': ['month', 'department_code', 'stratum_code', 'stage_code', 'is_synthetic'],
}}) }}
-- Published: fine tonnes of copper by month, department, stratum and stage. Stages are never added up.
select
    production.month,
    production.department_code,
    departments.department_name,
    production.stratum_code,
    production.stage_code,
    cast(sum(production.fine_copper_t) as decimal(18, 6)) as fine_copper_t,
    max(production.source_as_of) as source_as_of,
    production.is_synthetic
from {{ ref('int_production__copper') }} as production
left join {{ ref('dim_place') }} as departments
    on production.department_code = departments.department_code and departments.place_level = 'department'
group by
    production.month, production.department_code, departments.department_name,
    production.stratum_code, production.stage_code, production.is_synthetic
order by
    production.month, production.department_code, production.stratum_code,
    production.stage_code, production.is_synthetic
