{#
  Payable grade, percent of dry mass. ESTANDAR, the contracts' rule: the lesser of grade x payable and grade - deduction
  (C3); the deduction binds below the grade d / (1 - p). SECUENCIAL, as Peruvian plants' sheets have it: grade x payable,
  and then the deduction off it too. Never below zero. No deduction is none; without the payable share there is no
  payable grade.
#}
{% macro payable_cu_pct(cu_pct, payable_pct, deduction_pct, rule_code) -%}
    {%- set share = real(cu_pct) ~ ' * ' ~ payable_pct ~ ' / 100' -%}
    {{ fixed(
        'case when ' ~ payable_pct ~ ' is null then null else greatest(case ' ~ rule_code
        ~ " when 'SECUENCIAL' then " ~ share ~ ' - coalesce(' ~ deduction_pct ~ ', 0)'
        ~ ' else least(' ~ share ~ ', ' ~ cu_pct ~ ' - coalesce(' ~ deduction_pct ~ ', 0)) end, 0) end'
    ) }}
{%- endmacro %}

{# The quotation less the buyer's price protection (protección), US$ per tonne; protection in US$ per pound. #}
{% macro protected_usd_per_t(copper_usd_per_t, price_protection_usd_per_lb) -%}
    {{ fixed(
        real(copper_usd_per_t) ~ ' - coalesce(' ~ real(price_protection_usd_per_lb) ~ ', 0) * ' ~ lb_per_t()
    ) }}
{%- endmacro %}

{# Value of the payable copper in a dry tonne: payable grade / 100 x price. C7. #}
{% macro copper_usd_per_dmt(payable_cu_pct, usd_per_t) -%}
    {{ fixed(real(payable_cu_pct) ~ ' * (' ~ usd_per_t ~ ') / 100') }}
{%- endmacro %}

{# Refining of the payable copper in a dry tonne: payable pounds x charge, which may be zero or negative. C4. #}
{% macro refining_usd_per_dmt(payable_cu_pct, refining_usd_per_lb) -%}
    {{ fixed(
        real(payable_cu_pct) ~ ' / 100 * ' ~ lb_per_t() ~ ' * coalesce(' ~ real(refining_usd_per_lb) ~ ', 0)'
    ) }}
{%- endmacro %}

{# What the smelter keeps of a price above a base: rate x max(0, price - base) on the payable pounds, US$. C4. #}
{% macro price_participation_usd(payable_lb, usd_cents_per_lb, base_usd_cents_per_lb, rate_frac) -%}
    {{ fixed(
        real(payable_lb) ~ ' * greatest(' ~ usd_cents_per_lb ~ ' - ' ~ base_usd_cents_per_lb ~ ', 0) * ' ~ rate_frac ~ ' / 100'
    ) }}
{%- endmacro %}
