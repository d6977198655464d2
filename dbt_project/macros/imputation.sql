{#
  What is observed says what is not: amounts are compared with a base (copper at the London price, wet tonnes, the sale
  on which a fee is due, ...) in cells of up to four features, from the most special (level 4) to all of a kind (0).
  A cell tells the ratio of sums and a range in which the next ratio lies with the probability that the seed
  imputation_rules asks for: between the k-th smallest and the k-th largest of n, k = floor((n + 1) x tail). That holds
  whatever the distribution, if the unseen are like the seen. With fewer than 1 / tail - 1 there is no such range: the
  seen ones' is widened, and no narrower than what is said of the sector (ref_imputation_prior).
#}

{# A number of the seed imputation_rules. #}
{% macro imputation_rule(rule_code) -%}
    {{ rule_value('imputation_rules', rule_code) }}
{%- endmacro %}

{#
  CTEs from observed amounts to cells; the last is `cells`. `seen` names a CTE with kind_code, base_code, feature_1 to
  feature_4 (not null), amount, base, is_synthetic; rows without an amount or with a base of zero or less are left out.
  `weight`: how many observations a row stands for.
#}
{% macro ratio_cells(seen, weight='1') -%}
ratios_binned as (
    select
        kind_code,
        base_code,
        feature_1,
        feature_2,
        feature_3,
        feature_4,
        cast(cast(amount as double) / cast(base as double) as decimal(18, 4)) as ratio,
        amount,
        base,
        {{ weight }} as row_weight,
        is_synthetic
    from {{ seen }}
    where base > 0 and amount is not null
),

-- As many rows as there are different ratios at the fourth decimal, at most: what follows is small.
ratios_finest as (
    select
        kind_code,
        base_code,
        feature_1,
        feature_2,
        feature_3,
        feature_4,
        ratio,
        sum(row_weight) as ratio_count,
        sum(amount) as amount,
        sum(base) as base,
        is_synthetic
    from ratios_binned
    group by kind_code, base_code, feature_1, feature_2, feature_3, feature_4, ratio, is_synthetic
),

ratios_counted as (
    select
        kind_code,
        base_code,
        4 - grouping(feature_1) - grouping(feature_2) - grouping(feature_3) - grouping(feature_4) as cell_level,
        coalesce(feature_1, '') as feature_1,
        coalesce(feature_2, '') as feature_2,
        coalesce(feature_3, '') as feature_3,
        coalesce(feature_4, '') as feature_4,
        ratio,
        sum(ratio_count) as ratio_count,
        sum(amount) as amount,
        sum(base) as base,
        is_synthetic
    from ratios_finest
    group by grouping sets (
        (kind_code, base_code, is_synthetic, ratio, feature_1, feature_2, feature_3, feature_4),
        (kind_code, base_code, is_synthetic, ratio, feature_1, feature_2, feature_3),
        (kind_code, base_code, is_synthetic, ratio, feature_1, feature_2),
        (kind_code, base_code, is_synthetic, ratio, feature_1),
        (kind_code, base_code, is_synthetic, ratio)
    )
),

ratios_cumulated as (
    select
        *,
        sum(ratio_count) over (
            partition by kind_code, base_code, is_synthetic, cell_level, feature_1, feature_2, feature_3, feature_4
            order by ratio rows between unbounded preceding and current row
        ) as upto_count,
        sum(ratio_count) over (
            partition by kind_code, base_code, is_synthetic, cell_level, feature_1, feature_2, feature_3, feature_4
        ) as seen_count
    from ratios_counted
),

ratios_ranked as (
    select
        *,
        floor((seen_count + 1) * {{ imputation_rule('TAIL_FRAC') }}) as tail_count
    from ratios_cumulated
),

ratios_summed as (
    select
        kind_code,
        base_code,
        cell_level,
        feature_1,
        feature_2,
        feature_3,
        feature_4,
        max(seen_count) as seen_count,
        max(tail_count) as tail_count,
        min(ratio) as least_ratio,
        max(ratio) as most_ratio,
        min(ratio) filter (where upto_count >= tail_count) as tail_low_ratio,
        min(ratio) filter (where upto_count >= seen_count - tail_count + 1) as tail_high_ratio,
        {{ per_unit('sum(amount)', 'sum(base)', 'decimal(18, 6)') }} as central_ratio,
        is_synthetic
    from ratios_ranked
    group by kind_code, base_code, cell_level, feature_1, feature_2, feature_3, feature_4, is_synthetic
),

cells as (
    select
        ratios_summed.kind_code,
        ratios_summed.base_code,
        ratios_summed.cell_level,
        ratios_summed.feature_1,
        ratios_summed.feature_2,
        ratios_summed.feature_3,
        ratios_summed.feature_4,
        ratios_summed.seen_count,
        ratios_summed.central_ratio,
        cast(greatest(
            case
                when ratios_summed.tail_count >= 1 then ratios_summed.tail_low_ratio
                when ratios_summed.least_ratio = ratios_summed.most_ratio and ratios_summed.cell_level > 0 then ratios_summed.least_ratio
                else least(
                    ratios_summed.least_ratio
                    - {{ imputation_rule('WIDENING_FRAC') }} * (ratios_summed.most_ratio - ratios_summed.least_ratio),
                    coalesce(priors.low_ratio, ratios_summed.least_ratio)
                )
            end - {{ imputation_rule('RATIO_ROUNDING') }},
            -- What is never seen below zero is not expected there.
            case when ratios_summed.least_ratio >= 0 then 0 end
        ) as decimal(18, 6)) as low_ratio,
        cast(case
            when ratios_summed.tail_count >= 1 then ratios_summed.tail_high_ratio
            when ratios_summed.least_ratio = ratios_summed.most_ratio and ratios_summed.cell_level > 0 then ratios_summed.most_ratio
            else greatest(
                ratios_summed.most_ratio + {{ imputation_rule('WIDENING_FRAC') }} * (ratios_summed.most_ratio - ratios_summed.least_ratio),
                coalesce(priors.high_ratio, ratios_summed.most_ratio)
            )
        end + {{ imputation_rule('RATIO_ROUNDING') }} as decimal(18, 6)) as high_ratio,
        ratios_summed.is_synthetic
    from ratios_summed
    left join {{ ref('ref_imputation_prior') }} as priors
        on ratios_summed.kind_code = priors.kind_code and ratios_summed.base_code = priors.base_code
)
{%- endmacro %}

{#
  CTEs that give every row of `wanted` the range of the most special cell that holds enough (imputation_levels), else of its
  kind, else what is said of the sector; the last is `ranged`, `wanted` with low_ratio, central_ratio, high_ratio and
  ratio_count, how many observations they rest on. `cells` is a CTE or a table of cells; `prefix` tells two uses apart.
#}
{% macro ranged_by_cells(wanted, cells, prefix=none) -%}
{%- set p = prefix ~ '_' if prefix else '' -%}
{{ p }}enough as (
    select found.*
    from {{ cells }} as found
    left join {{ ref('imputation_levels') }} as levels
        on
            levels.kind_code in (found.kind_code, 'ANY')
            and found.base_code = levels.base_code
            and found.cell_level = levels.cell_level
    where found.cell_level = 0 or found.seen_count >= levels.least_count
),

{{ p }}ranged as (
    select
        asked.*,
        {% for column in ['low_ratio', 'central_ratio', 'high_ratio'] -%}
        cast(coalesce(
            level_4.{{ column }}, level_3.{{ column }}, level_2.{{ column }}, level_1.{{ column }}, level_0.{{ column }},
            priors.{{ column }}
        ) as decimal(18, 6)) as {{ column }},
        {% endfor -%}
        coalesce(
            level_4.seen_count, level_3.seen_count, level_2.seen_count, level_1.seen_count, level_0.seen_count, 0
        ) as ratio_count
    from {{ wanted }} as asked
    {% for level in [4, 3, 2, 1, 0] -%}
    left join {{ p }}enough as level_{{ level }}
        on
            level_{{ level }}.cell_level = {{ level }}
            and asked.kind_code = level_{{ level }}.kind_code
            and asked.base_code = level_{{ level }}.base_code
            {% for feature in range(1, level + 1) -%}
            and asked.feature_{{ feature }} = level_{{ level }}.feature_{{ feature }}
            {% endfor -%}
            and asked.is_synthetic = level_{{ level }}.is_synthetic
    {% endfor -%}
    left join {{ ref('ref_imputation_prior') }} as priors
        on asked.kind_code = priors.kind_code and asked.base_code = priors.base_code
)
{%- endmacro %}

{# An amount and its bounds from a ratio and a base that each have bounds; a ratio may be negative, a base is not. #}
{% macro amount_low(ratio, base_low, base_high) -%}
    {{ wide(ratio) }} * case when {{ ratio }} < 0 then {{ base_high }} else {{ base_low }} end
{%- endmacro %}

{% macro amount_high(ratio, base_low, base_high) -%}
    {{ wide(ratio) }} * case when {{ ratio }} < 0 then {{ base_low }} else {{ base_high }} end
{%- endmacro %}

{# Columns value_usd, value_low_usd and value_high_usd at the cent, bounds outwards and never inside the value. #}
{% macro bounded_usd(value, low, high) -%}
    cast(round({{ value }}, 2) as decimal(18, 2)) as value_usd,
    cast(least(round({{ value }}, 2), floor({{ wide(low) }} * 100) * 0.01) as decimal(18, 2)) as value_low_usd,
    cast(greatest(round({{ value }}, 2), ceil({{ wide(high) }} * 100) * 0.01) as decimal(18, 2)) as value_high_usd
{%- endmacro %}
