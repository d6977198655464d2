-- Where every registration stood at each month's end: how far it was, what blocks it, its state in the registry, the
-- conditions to stay there, and how long the regime had to go as the law stood on that day. A registration counts from
-- the month in which some source first told of it, and goes on after it left. A condition is as papers say; else met
-- where good standing in the registry implies it (seed registry_conditions); where nothing tells it is null, not false.
with months as (
    select
        months.month,
        months.is_synthetic,
        last_day(months.month) as as_of_date,
        deadlines.deadline_date as regime_end_date
    from (
        select distinct
            month,
            is_synthetic
        from {{ ref('int_registry__month_ends') }}
    ) as months
    left join {{ ref('ref_legal_deadline') }} as deadlines
        on
            deadlines.deadline_code = 'REGIME_END'
            and last_day(months.month) >= deadlines.valid_from
            and last_day(months.month) <= coalesce(deadlines.valid_to, date '9999-12-31')
),

standing as (
    select
        months.month,
        months.as_of_date,
        months.regime_end_date,
        intervals.*,
        coalesce(states.registry_state, 'NO_LISTADA') as registry_state,
        coalesce(states.is_in_stock, false) as is_in_stock
    from months
    inner join {{ ref('int_formalization__milestone_intervals') }} as intervals
        on
            months.is_synthetic = intervals.is_synthetic
            and months.as_of_date >= intervals.valid_from
            and months.as_of_date < coalesce(intervals.valid_to, date '9999-12-31')
    left join {{ ref('int_registry__month_ends') }} as states
        on
            intervals.registration_key = states.registration_key
            and intervals.is_synthetic = states.is_synthetic
            and months.month = states.month
),

conditions as (
    select
        months.month,
        conditions.registration_key,
        conditions.is_synthetic,
        bool_and(conditions.is_met) filter (where conditions.condition_code = 'IGAFOM_PRESENTADO') as instrument,
        bool_and(conditions.is_met) filter (where conditions.condition_code = 'RUC_TERCERA_ACTIVO') as taxpayer,
        bool_and(conditions.is_met) filter (where conditions.condition_code = 'DECLARACION_SEMESTRAL') as declaration
    from months
    inner join {{ ref('int_formalization__conditions') }} as conditions
        on
            months.is_synthetic = conditions.is_synthetic
            and months.as_of_date >= conditions.valid_from
            and months.as_of_date < coalesce(conditions.valid_to, date '9999-12-31')
    group by months.month, conditions.registration_key, conditions.is_synthetic
)

select
    standing.month,
    standing.registration_key,
    standing.registry_state,
    standing.is_in_stock,
    standing.is_in_stock or (standing.has_autorizacion and standing.registry_state <> 'EXCLUIDO') as is_eligible,
    standing.reached_count,
    standing.furthest_milestone_code,
    standing.blocking_milestone_code,
    standing.missing_milestone_codes,
    standing.has_igafom_presentado,
    standing.has_igafom_aprobado,
    standing.has_terreno_superficial,
    standing.has_derecho_minero,
    standing.has_restos_arqueologicos,
    standing.has_expediente_tecnico,
    standing.has_autorizacion,
    {% for name, told, code in [
        ('has_filed_instrument', 'instrument', 'IGAFOM_PRESENTADO'),
        ('is_active_taxpayer', 'taxpayer', 'RUC_TERCERA_ACTIVO'),
        ('has_declared', 'declaration', 'DECLARACION_SEMESTRAL'),
    ] -%}
        case
            when standing.is_in_stock
                then coalesce(
                    conditions.{{ told }},
                    {{ implied_by_standing(code, 'standing.registry_state') }}
                )
        end as {{ name }},
    {% endfor -%}
    standing.regime_end_date,
    datediff('day', standing.as_of_date, standing.regime_end_date) as days_to_regime_end,
    standing.is_synthetic
from standing
left join conditions
    on
        standing.registration_key = conditions.registration_key
        and standing.is_synthetic = conditions.is_synthetic
        and standing.month = conditions.month
order by standing.is_synthetic, standing.month, standing.registration_key
