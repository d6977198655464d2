{#
  The state of a registration on a day, as everything on the chain reads it: join int_registration__standing by
  standing_on, then registration_state. Codes are those of ref_registry_standing, and SIN_INSCRIPCION where the papers show
  no registration. `of` is the relation with both columns and is_synthetic.
#}
{% macro standing_on(of, registration_key, day, standing='standing') -%}
left join {{ ref('int_registration__standing') }} as {{ standing }}
    on
        {{ of }}.{{ registration_key }} = {{ standing }}.registration_key
        and {{ of }}.is_synthetic = {{ standing }}.is_synthetic
        and {{ of }}.{{ day }} >= {{ standing }}.valid_from
        and {{ of }}.{{ day }} < coalesce({{ standing }}.valid_to, date '9999-12-31')
{%- endmacro %}

{% macro registration_state(registration_key, standing='standing') -%}
    case
        when {{ registration_key }} is null then 'SIN_INSCRIPCION'
        else coalesce({{ standing }}.registry_state, 'NO_FIGURA')
    end
{%- endmacro %}
