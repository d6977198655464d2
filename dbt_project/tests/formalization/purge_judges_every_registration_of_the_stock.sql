-- On its date every set of rules judges each registration in the stock once, and the summary holds them all.
with stocks as (
    select
        rules.rule_set_code,
        rules.evaluation_date,
        registrations.is_synthetic,
        count(*) as stock_count
    from {{ ref('purge_rule_sets') }} as rules
    inner join {{ ref('dim_registration') }} as registrations
        on
            rules.evaluation_date >= registrations.valid_from
            and rules.evaluation_date < coalesce(registrations.valid_to, date '9999-12-31')
            and registrations.registry_state not in ('AUSENTE', 'EXCLUIDO')
    group by rules.rule_set_code, rules.evaluation_date, registrations.is_synthetic
),

judged as (
    select
        rule_set_code,
        evaluation_date,
        is_synthetic,
        count(*) as judged_count,
        count(*) filter (where would_be_excluded) as excluded_count
    from {{ ref('mart_purge_simulation') }}
    group by rule_set_code, evaluation_date, is_synthetic
),

summed as (
    select
        rule_set_code,
        evaluation_date,
        is_synthetic,
        sum(registration_count) as summed_count,
        sum(excluded_at_least_count) as excluded_count
    from {{ ref('mart_purge_summary') }}
    group by rule_set_code, evaluation_date, is_synthetic
)

select
    stocks.*,
    judged.judged_count,
    summed.summed_count
from stocks
left join judged
    on
        stocks.rule_set_code = judged.rule_set_code
        and stocks.evaluation_date = judged.evaluation_date
        and stocks.is_synthetic = judged.is_synthetic
left join summed
    on
        stocks.rule_set_code = summed.rule_set_code
        and stocks.evaluation_date = summed.evaluation_date
        and stocks.is_synthetic = summed.is_synthetic
where
    coalesce(judged.judged_count, -1) <> stocks.stock_count
    or coalesce(summed.summed_count, -1) <> stocks.stock_count
    or judged.excluded_count <> summed.excluded_count
