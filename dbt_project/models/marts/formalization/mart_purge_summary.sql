-- The simulated purges as counts: what would have happened beside what did. The number of excluded lies between the
-- sums of `excluded_at_least_count` and `excluded_at_most_count`.
select
    rule_set_code,
    evaluation_date,
    department_code,
    predicted_code,
    outcome_code,
    count(*) as registration_count,
    count(*) filter (where would_be_excluded) as excluded_at_least_count,
    count(*) filter (where coalesce(would_be_excluded, true)) as excluded_at_most_count,
    count(*) filter (where agrees) as agreed_count,
    count(agrees) as compared_count,
    bool_and(is_projected) as is_projected,
    bool_and(is_hypothetical) as is_hypothetical,
    is_synthetic
from {{ ref('mart_purge_simulation') }}
group by rule_set_code, evaluation_date, department_code, predicted_code, outcome_code, is_synthetic
order by is_synthetic, rule_set_code, evaluation_date, department_code, predicted_code, outcome_code
