-- Every code that a set of rules asks for is a condition or a milestone; a set is the same on all of its dates; and a
-- set that puts out at once is that of an end of the regime that stands in the law.
with codes as (
    select
        rule_set_code,
        unnest(string_split(required_codes, ';')) as code
    from {{ ref('purge_rule_sets') }}
),

known as (
    select condition_code as code from {{ ref('registry_conditions') }}
    union
    select milestone_code as code from {{ ref('formalization_milestones') }}
)

select
    codes.rule_set_code,
    codes.code as problem
from codes
left join known on codes.code = known.code
where known.code is null

union all

select
    rule_set_code,
    'not the same on all dates' as problem
from {{ ref('purge_rule_sets') }}
group by rule_set_code
having
    min(required_codes) <> max(required_codes)
    or min(coalesce(max_suspended_days, -1)) <> max(coalesce(max_suspended_days, -1))
    or min(grace_days) <> max(grace_days)

union all

select
    rules.rule_set_code,
    'no end of the regime' as problem
from {{ ref('purge_rule_sets') }} as rules
left join {{ ref('ref_legal_deadline') }} as deadlines
    on rules.evaluation_date = deadlines.deadline_date and deadlines.deadline_code = 'REGIME_END'
where rules.max_suspended_days is null and deadlines.deadline_code is null
