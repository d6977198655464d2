{# Dry mass of a wet one: wet x (1 - moisture / 100), tonnes. Field's formula C1. #}
{% macro dry_dmt(wmt, moisture_pct) -%}
    {{ fixed(real(wmt) ~ ' * (100 - ' ~ moisture_pct ~ ') / 100') }}
{%- endmacro %}

{# What is left of a dry mass to be paid after the handling loss (merma): dry x (1 - loss / 100), tonnes. C1. #}
{% macro after_loss_dmt(dmt, handling_loss_pct) -%}
    {{ fixed(real(dmt) ~ ' * (100 - coalesce(' ~ handling_loss_pct ~ ', 0)) / 100') }}
{%- endmacro %}

{# A mass as sheets show it and go on with it: to the kilogram. Oracle O3. #}
{% macro shown_t(t) -%}
    cast(round({{ t }}, 3) as decimal(18, 6))
{%- endmacro %}

{# Metal in a dry mass: dry x grade / 100, in the mass's unit. C2. #}
{% macro contained(dmt, grade_pct) -%}
    {{ fixed(real(dmt) ~ ' * (' ~ grade_pct ~ ') / 100') }}
{%- endmacro %}

{# Pounds of a mass in tonnes. #}
{% macro pounds(t) -%}
    {{ fixed(real(t) ~ ' * ' ~ lb_per_t()) }}
{%- endmacro %}
