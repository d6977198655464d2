-- Published: fine tonnes of copper by month, department, stratum and stage. Stages are never added up.
select
    production.month,
    production.department_code,
    departments.department_name,
    production.stratum_code,
    production.stage_code,
    cast(sum(production.fine_metal_t) as decimal(18, 6)) as fine_copper_t,
    max(production.source_as_of) as source_as_of,
    production.is_synthetic
from {{ ref('fct_metal_production') }} as production
left join {{ ref('dim_place') }} as departments
    on production.department_code = departments.department_code and departments.place_level = 'department'
where production.mineral_name = 'COBRE'
group by
    production.month, production.department_code, departments.department_name,
    production.stratum_code, production.stage_code, production.is_synthetic
order by
    production.month, production.department_code, production.stratum_code,
    production.stage_code, production.is_synthetic
