-- Time to every milestone, over all and by department: Kaplan-Meier with log-log 95 % intervals (other ends count as
-- censored) and Aalen-Johansen cumulative incidence (they compete). Who comes under observation late is at risk from
-- then on; a spell that ends on or before the day on which it begins to be observed says nothing. Ties are exact.
--
-- PUNTUAL: of who was inscribed on a known day. INFERIOR and SUPERIOR: of everybody, what the same estimates are at
-- least and at most, wherever in their windows the true days lie. The least survival has every end on its first
-- possible day, among as few at risk as can be anywhere in its window; the most, on its last day among as many as can
-- be. With exact days both are Kaplan-Meier. Ends moved alone would not do: an end that jumps over somebody's
-- censoring changes the number at risk, and the curves cross.
with cases as (
    select
        registration_key,
        milestone_code,
        unnest(['ALL', coalesce(department_code, '--')]) as stratum_code,
        'PUNTUAL' as people_code,
        entry_days as entry_first,
        entry_days as entry_last,
        duration_days as end_first,
        duration_days as end_last,
        true as is_sure,
        end_code,
        is_synthetic
    from {{ ref('int_formalization__spells') }}
    where duration_days > entry_days

    union all

    select
        registration_key,
        milestone_code,
        unnest(['ALL', coalesce(department_code, '--')]) as stratum_code,
        'LAPSOS' as people_code,
        entry_min_days as entry_first,
        entry_max_days as entry_last,
        duration_min_days as end_first,
        duration_max_days as end_last,
        -- whether its end comes after its entry does not depend on the day of its inscription
        duration_min_days > entry_min_days as is_sure,
        end_code,
        is_synthetic
    from {{ ref('int_formalization__spells') }}
    where duration_max_days > entry_min_days
),

-- Surely at risk on a day: between the last day of entry and the first one of the end; possibly: between the others.
moves as (
    select
        is_synthetic,
        milestone_code,
        people_code,
        stratum_code,
        case move_code
            when 'SURE_ENTRY' then entry_last
            when 'SURE_END' then end_first
            when 'ENTRY' then entry_first
            else end_last
        end as day_number,
        count(*) filter (where move_code = 'SURE_ENTRY' and end_first > entry_last) as sure_entered,
        count(*) filter (where move_code = 'SURE_END' and end_first > entry_last) as sure_ended,
        count(*) filter (where move_code = 'ENTRY') as entered,
        count(*) filter (where move_code = 'END') as ended
    from cases
    cross join unnest(['SURE_ENTRY', 'SURE_END', 'ENTRY', 'END']) as kinds (move_code)
    group by all
),

-- Counts before each day.
balances as (
    select
        is_synthetic,
        milestone_code,
        people_code,
        stratum_code,
        day_number,
        coalesce(sum(sure_entered) over before, 0) as sure_entered,
        coalesce(sum(sure_ended) over before, 0) as sure_ended,
        coalesce(sum(entered) over before, 0) as entered,
        coalesce(sum(ended) over before, 0) as ended
    from moves
    window before as (
        partition by is_synthetic, milestone_code, people_code, stratum_code order by day_number
        rows between unbounded preceding and 1 preceding
    )
),

end_days as (
    {% for code, day in [('FIRST', 'end_first'), ('LAST', 'end_last')] %}
        select
            *,
            '{{ code }}' as day_code,
            {{ day }} as day_number
        from cases
        where end_code > 0
        {{ 'union all' if not loop.last }}
    {% endfor %}
),

-- Of every end: how many are surely and possibly at risk just before its first and its last day, and how many at least
-- and at most anywhere in its window.
counted as (
    select
        end_days.is_synthetic,
        end_days.milestone_code,
        end_days.people_code,
        end_days.stratum_code,
        end_days.registration_key,
        end_days.end_first,
        end_days.end_last,
        end_days.is_sure,
        end_days.end_code,
        max(balances.sure_entered - balances.sure_ended) filter (where end_days.day_code = 'FIRST') as sure_first,
        max(balances.sure_entered - balances.sure_ended) filter (where end_days.day_code = 'LAST') as sure_last,
        max(balances.entered - balances.ended) filter (where end_days.day_code = 'FIRST') as possible_first,
        max(balances.entered - balances.ended) filter (where end_days.day_code = 'LAST') as possible_last,
        case
            when end_days.end_last > end_days.end_first
                then
                    1 + max(balances.sure_entered) filter (where end_days.day_code = 'FIRST')
                    - max(balances.sure_ended) filter (where end_days.day_code = 'LAST')
        end as least_count,
        max(balances.entered) filter (where end_days.day_code = 'LAST')
        - max(balances.ended) filter (where end_days.day_code = 'FIRST') as most_count
    from end_days
    inner join balances
        on
            end_days.is_synthetic = balances.is_synthetic
            and end_days.milestone_code = balances.milestone_code
            and end_days.people_code = balances.people_code
            and end_days.stratum_code = balances.stratum_code
            and end_days.day_number = balances.day_number
    group by
        end_days.is_synthetic, end_days.milestone_code, end_days.people_code, end_days.stratum_code,
        end_days.registration_key, end_days.end_first, end_days.end_last, end_days.is_sure, end_days.end_code
),

-- How many of the ends of the same first day come before it, the exactly known ones first.
ends as (
    select
        *,
        row_number() over (
            partition by is_synthetic, milestone_code, people_code, stratum_code, end_first, end_code
            order by end_last, registration_key
        ) - 1 as before_of_kind,
        row_number() over (
            partition by is_synthetic, milestone_code, people_code, stratum_code, end_first
            order by end_last, registration_key
        ) - 1 as before_of_all
    from counted
),

-- Each end as one step: among how many it ended the wait for the milestone, and any wait, and its share of those who
-- were there that day.
steps as (
    select
        is_synthetic,
        milestone_code,
        people_code,
        stratum_code,
        end_code,
        is_sure,
        end_first,
        end_last,
        sure_first,
        sure_last,
        possible_first,
        possible_last,
        greatest(least(sure_first - before_of_kind, least_count), 1) as least_of_kind,
        greatest(least(sure_first - before_of_all, least_count), 1) as least_of_all,
        greatest(least(sure_first, least_count), 1) as least_there,
        most_count - case when end_first = end_last then before_of_kind else 0 end as most_of_kind,
        most_count - case when end_first = end_last then before_of_all else 0 end as most_of_all,
        most_count as most_there
    from ends
),

-- The least survival and the most incidence fall on first days, the others on last days and with sure ends alone.
moments as (
    {% for curve, people, at_risk, day, bound, has_survival, has_incidence in [
        ('PUNTUAL', 'PUNTUAL', 'sure', 'first', 'least', true, true),
        ('INFERIOR', 'LAPSOS', 'sure', 'first', 'least', true, false),
        ('INFERIOR', 'LAPSOS', 'sure', 'last', 'most', false, true),
        ('SUPERIOR', 'LAPSOS', 'possible', 'last', 'most', true, false),
        ('SUPERIOR', 'LAPSOS', 'possible', 'first', 'least', false, true),
    ] %}
        select
            is_synthetic,
            milestone_code,
            '{{ curve }}' as curve_code,
            stratum_code,
            end_code,
            end_{{ day }} as duration_days,
            {{ at_risk }}_{{ day }} as at_risk_count,
            {{ has_survival }} as is_counted,
            {{ bound ~ '_of_kind' if has_survival else 'cast(null as bigint)' }} as kind_count,
            {{ bound ~ '_of_all' if has_survival else 'cast(null as bigint)' }} as all_count,
            {{ bound ~ '_there' if has_incidence else 'cast(null as bigint)' }} as there_count
        from steps
        where people_code = '{{ people }}'{{ ' and is_sure' if bound == 'most' }}
        {{ 'union all' if not loop.last }}
    {% endfor %}
),

days as (
    select
        is_synthetic,
        milestone_code,
        curve_code,
        stratum_code,
        duration_days,
        max(at_risk_count) as at_risk_count,
        count(*) filter (where is_counted and end_code = 1) as reached_count,
        count(*) filter (where is_counted and end_code = 2) as excluded_count,
        count(*) filter (where is_counted and end_code = 3) as withdrawn_count,
        -- in order, so that the last digits are the same in every run
        coalesce({{ product_of('1 - 1.0 / kind_count', 'kind_count', 'end_code = 1') }}, 1) as reached_factor,
        coalesce(
            sum(1.0 / nullif(kind_count * (kind_count - 1), 0) order by kind_count) filter (where end_code = 1), 0
        ) as greenwood_term,
        coalesce({{ product_of('1 - 1.0 / all_count', 'all_count') }}, 1) as all_factor,
        coalesce(sum(1.0 / there_count order by there_count) filter (where end_code = 1), 0) as reached_share,
        coalesce(sum(1.0 / there_count order by there_count) filter (where end_code = 2), 0) as excluded_share,
        coalesce(sum(1.0 / there_count order by there_count) filter (where end_code = 3), 0) as withdrawn_share
    from moments
    group by is_synthetic, milestone_code, curve_code, stratum_code, duration_days
),

survived as (
    select
        *,
        {{ product_upto('reached_factor', 'upto') }} as km_survival_frac,
        sum(greenwood_term) over upto as greenwood,
        {{ product_upto('all_factor', 'upto') }} as all_survival_frac
    from days
    window upto as (partition by is_synthetic, milestone_code, curve_code, stratum_code order by duration_days)
),

weighted as (
    select
        *,
        lag(all_survival_frac, 1, 1.0) over (
            partition by is_synthetic, milestone_code, curve_code, stratum_code order by duration_days
        ) as weight
    from survived
)

select
    milestone_code,
    curve_code,
    stratum_code,
    duration_days,
    cast(at_risk_count as bigint) as at_risk_count,
    reached_count,
    excluded_count,
    withdrawn_count,
    -- to 12 decimals, so that eight tenths stand as 0.8
    round(km_survival_frac, 12) as km_survival_frac,
    case
        when km_survival_frac between 1e-12 and 1 - 1e-12
            then km_survival_frac ^ exp(-1.959963984540054 * sqrt(greenwood) / ln(km_survival_frac))
    end as km_lower_frac,
    case
        when km_survival_frac between 1e-12 and 1 - 1e-12
            then km_survival_frac ^ exp(1.959963984540054 * sqrt(greenwood) / ln(km_survival_frac))
    end as km_upper_frac,
    round(least(sum(weight * reached_share) over upto, 1), 12) as reached_incidence_frac,
    round(least(sum(weight * excluded_share) over upto, 1), 12) as excluded_incidence_frac,
    round(least(sum(weight * withdrawn_share) over upto, 1), 12) as withdrawn_incidence_frac,
    round(all_survival_frac, 12) as all_survival_frac,
    is_synthetic
from weighted
window upto as (partition by is_synthetic, milestone_code, curve_code, stratum_code order by duration_days)
order by is_synthetic, milestone_code, curve_code, stratum_code, duration_days
