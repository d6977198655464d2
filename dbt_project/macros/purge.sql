{#
  Who would be suspended and who excluded under sets of rules, each on a date: a query on `evaluations`, a relation of
  rule_set_code, evaluation_date, required_codes (conditions or milestones, with semicolons), max_suspended_days (null:
  who lacks something is out at once), grace_days, is_hypothetical. One row for each registration in the registry's stock on the date.

  Everything is judged as it was on that date (valid time), true, false or null where nothing tells:
  - a condition is as papers say (int_formalization__conditions); else met where good standing in the registry implies
    it; one that good standing does not imply is not yet due where the registry says in good standing;
  - a milestone is met once proven; the authorisation is not, as who has it has left the registry; else it is not known;
  - who is listed as suspended lacks something, unless a condition was mended after the last file that lists it: then
    the papers decide;
  - days of suspension lie between two bounds, as files show a state and not its beginning; both count the first day.
#}
{% macro purge_simulated(evaluations) -%}
with evaluations as (
    select * from {{ evaluations }}
),

standing as (
    select
        evaluations.rule_set_code,
        evaluations.evaluation_date,
        evaluations.required_codes,
        evaluations.max_suspended_days,
        evaluations.grace_days,
        evaluations.is_hypothetical,
        registrations.registration_key,
        registrations.is_synthetic,
        registrations.department_code,
        registrations.registry_state
    from evaluations
    inner join {{ ref('dim_registration') }} as registrations
        on
            evaluations.evaluation_date >= registrations.valid_from
            and evaluations.evaluation_date < coalesce(registrations.valid_to, date '9999-12-31')
            and registrations.registry_state not in ('AUSENTE', 'EXCLUIDO')
),

listed as (
    select
        standing.rule_set_code,
        standing.evaluation_date,
        standing.registration_key,
        standing.is_synthetic,
        max(listings.source_as_of) as listed_date
    from standing
    inner join {{ ref('int_registry__listings_keyed') }} as listings
        on
            standing.registration_key = listings.registration_key
            and standing.is_synthetic = listings.is_synthetic
            and standing.evaluation_date >= listings.source_as_of
    group by standing.rule_set_code, standing.evaluation_date, standing.registration_key, standing.is_synthetic
),

-- The first whole file after the date in which an absence says something, and whether any file came after it.
afterwards as (
    select
        evaluations.rule_set_code,
        evaluations.evaluation_date,
        files.is_synthetic,
        min(files.source_as_of) filter (
            where files.source_as_of > evaluations.evaluation_date and files.is_complete and files.absence_counts
        ) as outcome_date,
        max(files.source_as_of) < evaluations.evaluation_date as is_projected
    from evaluations
    cross join {{ ref('int_registry__files_judged') }} as files
    group by evaluations.rule_set_code, evaluations.evaluation_date, files.is_synthetic
),

conditions as (
    select
        standing.rule_set_code,
        standing.evaluation_date,
        standing.registration_key,
        standing.is_synthetic,
        conditions.condition_code,
        conditions.acted_date,
        conditions.is_met
    from standing
    inner join {{ ref('int_formalization__conditions') }} as conditions
        on
            standing.registration_key = conditions.registration_key
            and standing.is_synthetic = conditions.is_synthetic
            and standing.evaluation_date >= conditions.valid_from
            and standing.evaluation_date < coalesce(conditions.valid_to, date '9999-12-31')
),

required as (
    select
        standing.rule_set_code,
        standing.evaluation_date,
        standing.registration_key,
        standing.is_synthetic,
        codes.code,
        codes.position,
        case
            when standing.registry_state = 'VIGENTE' and not known.standing_implies then true
            when known.condition_code is not null
                then coalesce(conditions.is_met, case when standing.registry_state = 'VIGENTE' then true end)
            when reached.reached_by_date <= standing.evaluation_date then true
            when codes.code = 'AUTORIZACION' then false
        end as is_met
    from standing
    inner join (
        select
            rule_set_code,
            evaluation_date,
            {{ numbered_parts_of('required_codes', ';', 'code') }}
        from evaluations
    ) as codes
        on standing.rule_set_code = codes.rule_set_code and standing.evaluation_date = codes.evaluation_date
    left join {{ ref('registry_conditions') }} as known on codes.code = known.condition_code
    left join conditions
        on
            standing.rule_set_code = conditions.rule_set_code
            and standing.evaluation_date = conditions.evaluation_date
            and standing.registration_key = conditions.registration_key
            and standing.is_synthetic = conditions.is_synthetic
            and codes.code = conditions.condition_code
    left join {{ ref('int_formalization__reached') }} as reached
        on
            standing.registration_key = reached.registration_key
            and standing.is_synthetic = reached.is_synthetic
            and codes.code = reached.milestone_code
),

demanded as (
    select
        rule_set_code,
        evaluation_date,
        registration_key,
        is_synthetic,
        case
            when count(*) filter (where not is_met) > 0 then false
            when count(is_met) = count(*) then true
        end as is_all_met,
        min_by(code, position) filter (where not is_met) as first_unmet_code,
        string_agg(code, ';' order by position) filter (where coalesce(not is_met, true)) as unproven_codes
    from required
    group by rule_set_code, evaluation_date, registration_key, is_synthetic
),

papers as (
    select
        conditions.rule_set_code,
        conditions.evaluation_date,
        conditions.registration_key,
        conditions.is_synthetic,
        bool_and(conditions.is_met) filter (where conditions.condition_code = 'IGAFOM_PRESENTADO') as instrument,
        bool_and(conditions.is_met) filter (where conditions.condition_code = 'RUC_TERCERA_ACTIVO') as taxpayer,
        bool_and(conditions.is_met) filter (where conditions.condition_code = 'DECLARACION_SEMESTRAL') as declaration,
        max(conditions.acted_date) filter (where conditions.is_met) as last_acted_date
    from conditions
    group by
        conditions.rule_set_code, conditions.evaluation_date, conditions.registration_key, conditions.is_synthetic
),

weighed as (
    select
        standing.*,
        listed.listed_date,
        afterwards.outcome_date,
        afterwards.is_projected,
        coalesce(papers.instrument, {{ implied_by_standing('IGAFOM_PRESENTADO', 'standing.registry_state') }}) as instrument,
        coalesce(papers.taxpayer, {{ implied_by_standing('RUC_TERCERA_ACTIVO', 'standing.registry_state') }}) as taxpayer,
        coalesce(papers.declaration, {{ implied_by_standing('DECLARACION_SEMESTRAL', 'standing.registry_state') }}) as declaration,
        demanded.first_unmet_code,
        demanded.unproven_codes,
        case
            when
                standing.max_suspended_days is not null and standing.registry_state = 'SUSPENDIDO'
                and coalesce(papers.last_acted_date <= listed.listed_date, true)
                then false
            else demanded.is_all_met
        end as is_all_met,
        datediff('day', suspensions.suspended_from, standing.evaluation_date) + 1 as suspended_days_at_least,
        case when standing.registry_state <> 'VIGENTE' then datediff(
            'day',
            greatest(
                -- nobody was suspended before there were conditions
                (select min(asked.valid_from) from {{ ref('registry_conditions') }} as asked),
                dimensions.inscribed_from_date,
                cast(suspensions.suspended_after + interval 1 day as date)
            ),
            standing.evaluation_date
        ) + 1 end as suspended_days_at_most
    from standing
    inner join listed
        on
            standing.rule_set_code = listed.rule_set_code
            and standing.evaluation_date = listed.evaluation_date
            and standing.registration_key = listed.registration_key
            and standing.is_synthetic = listed.is_synthetic
    inner join afterwards
        on
            standing.rule_set_code = afterwards.rule_set_code
            and standing.evaluation_date = afterwards.evaluation_date
            and standing.is_synthetic = afterwards.is_synthetic
    inner join demanded
        on
            standing.rule_set_code = demanded.rule_set_code
            and standing.evaluation_date = demanded.evaluation_date
            and standing.registration_key = demanded.registration_key
            and standing.is_synthetic = demanded.is_synthetic
    inner join {{ ref('int_formalization__dimensions') }} as dimensions
        on
            standing.registration_key = dimensions.registration_key
            and standing.is_synthetic = dimensions.is_synthetic
    left join papers
        on
            standing.rule_set_code = papers.rule_set_code
            and standing.evaluation_date = papers.evaluation_date
            and standing.registration_key = papers.registration_key
            and standing.is_synthetic = papers.is_synthetic
    left join {{ ref('int_registry__suspensions') }} as suspensions
        on
            standing.registration_key = suspensions.registration_key
            and standing.is_synthetic = suspensions.is_synthetic
            and standing.evaluation_date >= suspensions.suspended_from
            and standing.evaluation_date < coalesce(suspensions.ended_on, date '9999-12-31')
),

judged as (
    select
        weighed.*,
        not weighed.is_all_met as would_be_suspended,
        case
            when weighed.max_suspended_days is null then not weighed.is_all_met
            when weighed.is_all_met or weighed.registry_state = 'VIGENTE' then false
            when weighed.suspended_days_at_most <= weighed.max_suspended_days + weighed.grace_days then false
            when
                not weighed.is_all_met
                and weighed.suspended_days_at_least > weighed.max_suspended_days + weighed.grace_days
                then true
        end as would_be_excluded
    from weighed
),

predicted as (
    select
        *,
        case
            when would_be_excluded then 'EXCLUDED'
            when would_be_excluded is null then 'MAYBE_EXCLUDED'
            when would_be_suspended then 'SUSPENDED'
            when would_be_suspended is null then 'MAYBE_SUSPENDED'
            else 'KEPT'
        end as predicted_code,
        case
            when first_unmet_code is not null then first_unmet_code
            when would_be_suspended then 'CAUSA_NO_CONOCIDA'
            when would_be_suspended is null then 'DESCONOCIDO'
            else 'NINGUNO'
        end as reason_code
    from judged
),

followed as (
    select
        predicted.*,
        intervals.blocking_milestone_code,
        case
            when after.registry_state in ('AUSENTE', 'EXCLUIDO') then 'GONE'
            when after.registry_state = 'SUSPENDIDO' then 'SUSPENDED'
            when after.registry_state = 'VIGENTE' then 'KEPT'
            else 'NOT_OBSERVED'
        end as outcome_code
    from predicted
    inner join {{ ref('int_formalization__milestone_intervals') }} as intervals
        on
            predicted.registration_key = intervals.registration_key
            and predicted.is_synthetic = intervals.is_synthetic
            and predicted.evaluation_date >= intervals.valid_from
            and predicted.evaluation_date < coalesce(intervals.valid_to, date '9999-12-31')
    left join {{ ref('dim_registration') }} as after
        on
            predicted.registration_key = after.registration_key
            and predicted.is_synthetic = after.is_synthetic
            and predicted.outcome_date >= after.valid_from
            and predicted.outcome_date < coalesce(after.valid_to, date '9999-12-31')
)

select
    rule_set_code,
    evaluation_date,
    registration_key,
    coalesce(department_code, '--') as department_code,
    registry_state,
    listed_date,
    is_projected,
    is_hypothetical,
    instrument as has_filed_instrument,
    taxpayer as is_active_taxpayer,
    declaration as has_declared,
    blocking_milestone_code,
    suspended_days_at_least,
    suspended_days_at_most,
    would_be_suspended,
    would_be_excluded,
    reason_code,
    unproven_codes,
    predicted_code,
    outcome_date,
    outcome_code,
    case
        when is_hypothetical or outcome_code = 'NOT_OBSERVED' then null
        when predicted_code = 'EXCLUDED' then outcome_code = 'GONE'
        when predicted_code in ('SUSPENDED', 'KEPT') then outcome_code = predicted_code
        when predicted_code = 'MAYBE_SUSPENDED' and outcome_code = 'GONE' then false
    end as agrees,
    is_synthetic
from followed
{%- endmacro %}

{# True where the registry says in good standing and that implies the condition (seed registry_conditions), else null. #}
{% macro implied_by_standing(condition_code, registry_state) -%}
    case
        when {{ registry_state }} = 'VIGENTE' and (
            select rules.standing_implies from {{ ref('registry_conditions') }} as rules
            where rules.condition_code = '{{ condition_code }}'
        ) then true
    end
{%- endmacro %}
