{# One row for every part of a text; to be selected, not joined. #}
{% macro parts_of(text, separator) -%}
    {{ return(adapter.dispatch('parts_of', 'antawasi')(text, separator)) }}
{%- endmacro %}

{% macro duckdb__parts_of(text, separator) -%}
    unnest(string_split({{ text }}, '{{ separator }}'))
{%- endmacro %}

{% macro default__parts_of(text, separator) -%}
    explode(split({{ text }}, '{{ separator }}'))
{%- endmacro %}

{# One row for every part of a text, with its place in it as `position`; to be selected, not joined. #}
{% macro numbered_parts_of(text, separator, name) -%}
    {{ return(adapter.dispatch('numbered_parts_of', 'antawasi')(text, separator, name)) }}
{%- endmacro %}

{% macro duckdb__numbered_parts_of(text, separator, name) -%}
    unnest(string_split({{ text }}, '{{ separator }}')) as {{ name }},
            generate_subscripts(string_split({{ text }}, '{{ separator }}'), 1) as position
{%- endmacro %}

{% macro default__numbered_parts_of(text, separator, name) -%}
    posexplode(split({{ text }}, '{{ separator }}')) as (position, {{ name }})
{%- endmacro %}
