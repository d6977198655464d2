{#
  Penalty of one element, US$ per dry tonne: max(0, grade - free limit) / step x rate; a part of a step counts as a part.
  Grade, limit and step in percent; null where the grade or the step is not known. C5.
#}
{% macro penalty_usd_per_dmt(grade_pct, free_pct, step_pct, usd_per_dmt_step) -%}
    {{ fixed(
        'case when ' ~ grade_pct ~ ' > ' ~ free_pct ~ ' then ' ~ real(grade_pct ~ ' - ' ~ free_pct) ~ ' * ' ~ usd_per_dmt_step ~ ' / ' ~ step_pct
        ~ ' when ' ~ grade_pct ~ ' is not null and ' ~ step_pct ~ ' is not null then 0 end'
    ) }}
{%- endmacro %}

{# The column of a sheet that holds the grade which a clause's element code names; null for others. #}
{% macro penalised_grade_pct(element_code, sheet) -%}
    case {{ element_code }}
        when 'AS' then {{ sheet }}.as_pct
        when 'SB' then {{ sheet }}.sb_pct
        when 'BI' then {{ sheet }}.bi_pct
        when 'PB_ZN' then {{ sheet }}.pb_zn_pct
        when 'H2O' then {{ sheet }}.moisture_pct
    end
{%- endmacro %}
