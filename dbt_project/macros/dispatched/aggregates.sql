{# What numbers give multiplied, over the rows of a group of which `condition` holds; null without any. #}
{% macro product_of(value, by, condition='true') -%}
    {{ return(adapter.dispatch('product_of', 'antawasi')(value, by, condition)) }}
{%- endmacro %}

{% macro duckdb__product_of(value, by, condition) -%}
    product({{ value }} order by {{ by }}) filter (where {{ condition }})
{%- endmacro %}

{# Of all rows of the group: without any, the product is one, as of none it is. #}
{% macro default__product_of(value, by, condition) -%}
    aggregate(
        array_sort(list({{ value }}) filter (where {{ condition }})), cast(1 as double), (so_far, factor) -> so_far * factor
    )
{%- endmacro %}

{# What numbers give multiplied up to a row of a named window that has an order. #}
{% macro product_upto(value, window) -%}
    {{ return(adapter.dispatch('product_upto', 'antawasi')(value, window)) }}
{%- endmacro %}

{% macro duckdb__product_upto(value, window) -%}
    product({{ value }}) over {{ window }}
{%- endmacro %}

{% macro default__product_upto(value, window) -%}
    aggregate(list({{ value }}) over {{ window }}, cast(1 as double), (so_far, factor) -> so_far * factor)
{%- endmacro %}

{#
  Groups of rows that agree in all `columns`, nulls too. By one hash of 64 bits where the engine has one that tells nulls
  apart: that two rows that differ have the same is not to be expected.
#}
{% macro grouped_alike(columns) -%}
    {{ return(adapter.dispatch('grouped_alike', 'antawasi')(columns)) }}
{%- endmacro %}

{% macro duckdb__grouped_alike(columns) -%}
    hash({{ columns | join(', ') }})
{%- endmacro %}

{% macro default__grouped_alike(columns) -%}
    {{ columns | join(', ') }}
{%- endmacro %}
