{#
  Whole grams of `total` that fall to a row by its `weight` among the rows of `partition`, in the order `by`: differences
  of rounded running shares. They add up to the total exactly, for the last running share is 1, and none is off by more
  than a gram. Weights are not negative and not all zero; `total` is the same on every row of the partition.
#}
{% macro grams_by_weight(total, weight, partition, by) -%}
    {%- set over = 'over (partition by ' ~ partition | join(', ') ~ ' order by ' ~ by | join(', ') ~ ' rows unbounded preceding)' -%}
    {%- set whole = 'sum(' ~ weight ~ ') over (partition by ' ~ partition | join(', ') ~ ')' -%}
    cast(
        round({{ total }} * cast(sum({{ weight }}) {{ over }} as double) / cast({{ whole }} as double))
        - round({{ total }} * cast(sum({{ weight }}) {{ over }} - {{ weight }} as double) / cast({{ whole }} as double))
        as decimal(38, 0)
    )
{%- endmacro %}

{# Part of a whole, both sums of whole grams; null where there is no whole. #}
{% macro share(part, whole) -%}
    cast({{ part }} as double) / nullif(cast({{ whole }} as double), 0)
{%- endmacro %}
