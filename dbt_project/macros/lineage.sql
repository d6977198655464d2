{# The five lineage columns of a raw table, kept by every staging model so that a number can be walked back. #}
{% macro lineage(alias=none) -%}
    {%- set p = alias ~ '.' if alias else '' -%}
    {{ p }}_source_as_of as source_as_of,
    {{ p }}_is_synthetic as is_synthetic,
    {{ p }}_ingested_at as ingested_at,
    {{ p }}_landing_sha256 as landing_sha256,
    {{ p }}_row_number as row_number
{%- endmacro %}

{#
  True for rows of the newest landing file that covers their unit: newest `_source_as_of`, then newest landing.
  `unit` names the columns whose combination a later file replaces as a whole (a month of production, one
  document). Older rows stay in staging as revisions. Synthetic rows never supersede measured ones.
  `as_of` is what files are compared by before the time of their landing. Partners' files go by month: a correction
  that repeats a few rows of a month may end on an earlier day than the file that it corrects.
#}
{% macro is_current(unit, as_of='_source_as_of') -%}
    _landing_sha256 = first_value(_landing_sha256) over (
        partition by {{ unit | join(', ') }}, _is_synthetic
        order by {{ as_of }} desc, _ingested_at desc, _landing_sha256
    )
{%- endmacro %}

{#
  The same for a source whose unit is what a whole file holds (one layout at one source date): `unit` names columns that
  are the same in all rows of a file. Files are compared, not rows, which `is_current` would sort.
#}
{% macro is_current_file(unit, rows) -%}
    _landing_sha256 in (
        select _landing_sha256
        from (
            select distinct
                {{ unit | join(', ') }},
                _is_synthetic,
                _ingested_at,
                _landing_sha256
            from {{ rows }}
        ) as files
        qualify row_number() over (
            partition by {{ unit | join(', ') }}, _is_synthetic order by _ingested_at desc, _landing_sha256
        ) = 1
    )
{%- endmacro %}

{# The month of the date that the source carries, as `as_of` of files that come by the month. #}
{% macro month_of_source() -%}
    date_trunc('month', _source_as_of)
{%- endmacro %}
