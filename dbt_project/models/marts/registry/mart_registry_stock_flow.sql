-- Registrations in the registry (listed and not excluded) at each month's end, and what changed their number:
-- stock_end = stock_start + new + returned - excluded - absent, exactly, by month and department (a test holds it).
-- Absent ones left without a listed exclusion: presumed excluded, formalized or withdrawn.
with counted as (
    select
        month,
        coalesce(department_code, '--') as department_code,
        is_synthetic,
        count(*) filter (where is_in_stock) as stock_end
    from {{ ref('int_registry__month_ends') }}
    group by month, coalesce(department_code, '--'), is_synthetic
),

departments as (
    select
        department_code,
        min(month) as first_month,
        is_synthetic
    from counted
    group by department_code, is_synthetic
),

months as (
    select distinct
        month,
        is_synthetic
    from counted
),

-- A department stays, with a stock of zero, when all of its registrations turn out to be elsewhere.
stocks as (
    select
        months.month,
        departments.department_code,
        departments.is_synthetic,
        coalesce(counted.stock_end, 0) as stock_end
    from departments
    inner join months
        on departments.is_synthetic = months.is_synthetic and departments.first_month <= months.month
    left join counted
        on
            months.month = counted.month
            and departments.department_code = counted.department_code
            and departments.is_synthetic = counted.is_synthetic
),

flows as (
    select
        month,
        department_code,
        is_synthetic,
        sum(registration_count) filter (
            where from_state = 'NONE' and to_state not in ('AUSENTE', 'EXCLUIDO')
        ) as new_count,
        sum(registration_count) filter (
            where from_state in ('AUSENTE', 'EXCLUIDO') and to_state not in ('AUSENTE', 'EXCLUIDO')
        ) as returned_count,
        sum(registration_count) filter (
            where from_state not in ('NONE', 'AUSENTE', 'EXCLUIDO') and to_state = 'EXCLUIDO'
        ) as excluded_count,
        sum(registration_count) filter (
            where from_state not in ('NONE', 'AUSENTE', 'EXCLUIDO') and to_state = 'AUSENTE'
        ) as absent_count,
        sum(registration_count) filter (where from_state = 'VIGENTE' and to_state = 'SUSPENDIDO') as suspended_count,
        sum(registration_count) filter (where from_state = 'SUSPENDIDO' and to_state = 'VIGENTE') as cured_count
    from {{ ref('mart_registry_transitions') }}
    group by month, department_code, is_synthetic
)

select
    stocks.month,
    stocks.department_code,
    coalesce(
        lag(stocks.stock_end) over (partition by stocks.department_code, stocks.is_synthetic order by stocks.month), 0
    ) as stock_start,
    cast(coalesce(flows.new_count, 0) as bigint) as new_count,
    cast(coalesce(flows.returned_count, 0) as bigint) as returned_count,
    cast(coalesce(flows.excluded_count, 0) as bigint) as excluded_count,
    cast(coalesce(flows.absent_count, 0) as bigint) as absent_count,
    stocks.stock_end,
    cast(coalesce(flows.suspended_count, 0) as bigint) as suspended_count,
    cast(coalesce(flows.cured_count, 0) as bigint) as cured_count,
    stocks.is_synthetic
from stocks
left join flows
    on
        stocks.month = flows.month
        and stocks.department_code = flows.department_code
        and stocks.is_synthetic = flows.is_synthetic
order by stocks.is_synthetic, stocks.month, stocks.department_code
