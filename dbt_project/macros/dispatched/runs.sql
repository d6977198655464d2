{#
  Columns first_place and last_place: a row for every run of a sorted list of places (first_number, last_number,
  row_number) that follow one another.
#}
{% macro ends_of_runs(places) -%}
    {{ return(adapter.dispatch('ends_of_runs', 'antawasi')(places)) }}
{%- endmacro %}

{% macro duckdb__ends_of_runs(places) -%}
    unnest([
            place for place, i in {{ places }} if i = 1 or {{ places }}[i - 1].last_number <> place.first_number - 1
        ]) as first_place,
        unnest([
            place for place, i in {{ places }} if i = len({{ places }}) or {{ places }}[i + 1].first_number <> place.last_number + 1
        ]) as last_place
{%- endmacro %}

{% macro default__ends_of_runs(places) -%}
    inline(arrays_zip(
            filter({{ places }}, (place, i) -> coalesce(get({{ places }}, i - 1).last_number <> place.first_number - 1, true)),
            filter({{ places }}, (place, i) -> coalesce(get({{ places }}, i + 1).first_number <> place.last_number + 1, true))
        )) as (first_place, last_place)
{%- endmacro %}
