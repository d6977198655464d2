{# Grades that assays and sheets give: column and the code of their rule in ref_settlement_rule. #}
{% macro settled_grades() -%}
    {{ return({
        'cu_pct': 'CU', 'as_pct': 'AS', 'sb_pct': 'SB', 'bi_pct': 'BI', 'pb_zn_pct': 'PB_ZN', 'ag_g_per_dmt': 'AG',
        'au_g_per_dmt': 'AU',
    }) }}
{%- endmacro %}

{# From what difference on something counts, by its code; the reasons are in the seed. #}
{% macro settlement_rule(rule_code) -%}
    {{ rule_value('ref_settlement_rule', rule_code) }}
{%- endmacro %}

{# Whether what a sheet states and what is expected differ by more than their rule says; false where one is not known. #}
{% macro differs(stated, expected, rule_code) -%}
    coalesce(abs({{ stated }} - {{ expected }}) > {{ settlement_rule(rule_code) }}, false)
{%- endmacro %}

{# Whether any grade of a sheet differs from the agreed one. #}
{% macro any_grade_differs(sheet, evidence) -%}
    {%- for grade, rule_code in settled_grades().items() -%}
        {{ differs(sheet ~ '.' ~ grade, evidence ~ '.agreed_' ~ grade, rule_code) }}{{ ' or ' if not loop.last }}
    {%- endfor -%}
{%- endmacro %}

{# Join condition of two tables that have one row for each settlement sheet. #}
{% macro same_sheet(left, right) -%}
    {{ left }}.buyer_key = {{ right }}.buyer_key
    and {{ left }}.settlement_id = {{ right }}.settlement_id
    and {{ left }}.is_synthetic = {{ right }}.is_synthetic
{%- endmacro %}

{# Whether a date lies in a row's dates of validity. #}
{% macro is_in_force(day, row) -%}
    {{ day }} between {{ row }}.valid_from and coalesce({{ row }}.valid_to, date '9999-12-31')
{%- endmacro %}
