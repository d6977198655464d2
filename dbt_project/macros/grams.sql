{#
  Whole grams of `total` that fall to a row by its `weight` among the rows of `partition`, in the order `by`: differences
  of cut running shares. They add up to the total exactly, for the last running share is 1, and none is off by more than
  a gram. Both are whole numbers, weights not negative; null where all are zero. `total` is one for the partition.
#}
{% macro grams_by_weight(total, weight, partition, by) -%}
    {%- set rows = 'partition by ' ~ partition | join(', ') -%}
    {%- set upto = '(sum(' ~ weight ~ ') over (' ~ rows ~ ' order by ' ~ by | join(', ') ~ ' rows unbounded preceding))' -%}
    {%- set before = '(' ~ upto ~ ' - ' ~ weight ~ ')' -%}
    {%- set whole = 'nullif(sum(' ~ weight ~ ') over (' ~ rows ~ '), 0)' -%}
    {{ whole_part(total, upto, whole) }} - {{ whole_part(total, before, whole) }}
{%- endmacro %}

{# Part of a whole, both sums of whole grams; null where there is no whole. #}
{% macro share(part, whole) -%}
    cast({{ part }} as double) / nullif(cast({{ whole }} as double), 0)
{%- endmacro %}
