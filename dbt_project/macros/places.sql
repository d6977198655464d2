{#
  One spelling for comparing place names: upper case, no accents, anything but letters and digits is one space.
  A name that is only blank is null.
#}
{% macro place_name_key(column) -%}
    nullif(trim(regexp_replace(upper({{ unaccented(column) }}), '[^A-Z0-9]+', ' ', 'g')), '')
{%- endmacro %}

{# Staging models whose place names are matched; a source with place names adds one line. #}
{% macro sources_with_place_names() -%}
    {{ return({
        'minem_production': 'stg_minem_production__quantities',
        'reinfo': 'stg_reinfo__registrations',
    }) }}
{%- endmacro %}
