{#
  Measures of dispersion and concentration as aggregates, to be selected with a `group by`. Values are positive.
  Sources of the formulas: oracle O6; Theil (1967) in the form without a loop over the mean.
#}

{# Gini of values ranked from the smallest (1) upwards: 2 sum(rank x value) / (n sum(value)) - (n + 1) / n. #}
{% macro gini(value, rank_ascending) -%}
    (2.0 * sum({{ rank_ascending }} * {{ value }}) / (count({{ value }}) * sum({{ value }}))
    - (count({{ value }}) + 1.0) / count({{ value }}))
{%- endmacro %}

{# Theil's T, the mean of (x / mean) ln(x / mean), from the sums of x ln(x) and of x and the count of x. #}
{% macro theil_t(sum_of_x_log_x, sum_of_x, count_of_x) -%}
    cast({{ sum_of_x_log_x }} as double) / cast({{ sum_of_x }} as double)
    - ln(cast({{ sum_of_x }} as double) / {{ count_of_x }})
{%- endmacro %}

{# Theil's T within groups, over rows of one group each: groups' own T weighted by their share of the total. #}
{% macro theil_within(group_total, group_theil) -%}
    (sum({{ group_total }} * {{ group_theil }}) / sum({{ group_total }}))
{%- endmacro %}

{# Theil's T between groups, over rows of one group each; within + between = total. #}
{% macro theil_between(group_total, group_count) -%}
    (sum({{ group_total }} * ln({{ group_total }} / {{ group_count }})) / sum({{ group_total }})
    - ln(sum({{ group_total }}) / sum({{ group_count }})))
{%- endmacro %}

{# Herfindahl-Hirschman index of amounts, 0 to 1: the sum of squared shares. #}
{% macro hhi(amount) -%}
    (sum({{ amount }} * {{ amount }}) / (sum({{ amount }}) * sum({{ amount }})))
{%- endmacro %}

{# Share of the n largest, of amounts ranked from the largest (1) downwards. #}
{% macro concentration_ratio(amount, rank_descending, n) -%}
    (sum(case when {{ rank_descending }} <= {{ n }} then {{ amount }} else 0 end) / sum({{ amount }}))
{%- endmacro %}

{#
  Kitagawa's two parts of the gap between two groups' means, over rows of one class each (share and value of the class in A
  and in B): what the mix of classes makes, and what their values make. Their sum is the gap. Oracle O16.
#}
{% macro kitagawa_mix(share_a, value_a, share_b, value_b) -%}
    sum(({{ share_a }} - {{ share_b }}) * ({{ value_a }} + {{ value_b }}) / 2)
{%- endmacro %}

{% macro kitagawa_value(share_a, value_a, share_b, value_b) -%}
    sum(({{ value_a }} - {{ value_b }}) * ({{ share_a }} + {{ share_b }}) / 2)
{%- endmacro %}
