{#
  What a public buyer's linear tariff pays for a dry tonne: base price + scale x (grade - base grade), US$. Seed
  ref_buyer_tariff; oracle O4''.
#}
{% macro tariff_usd_per_dmt(cu_pct, base_cu_pct, base_price_usd_per_dmt, scale_usd_per_dmt_pct) -%}
    cast({{ base_price_usd_per_dmt }} + {{ wide(scale_usd_per_dmt_pct) }} * ({{ cu_pct }} - {{ base_cu_pct }}) as decimal(18, 8))
{%- endmacro %}

{# The tariff's copper price: the month's mean and the support on it, US cents per pound. Oracle O4. #}
{% macro supported_usd_cents_per_lb(usd_cents_per_lb, support_usd_cents_per_lb) -%}
    cast({{ usd_cents_per_lb }} + {{ support_usd_cents_per_lb }} as decimal(18, 6))
{%- endmacro %}

{# Dry tonnes of concentrate that a dry tonne of ore makes: ore grade x recovery / concentrate grade. #}
{% macro mass_pull_frac(ore_cu_pct, recovery_frac, concentrate_cu_pct) -%}
    cast({{ wide(ore_cu_pct) }} * {{ recovery_frac }} / {{ concentrate_cu_pct }} as decimal(18, 12))
{%- endmacro %}

{#
  The most that a plant can pay for a dry tonne of ore and lose nothing: mass pull x (value of a tonne of its concentrate -
  its freight) - milling, US$. Oracle O4b.
#}
{% macro ore_netback_usd_per_dmt(mass_pull_frac, concentrate_usd_per_dmt, freight_usd_per_dmt, milling_usd_per_dmt) -%}
    cast(cast({{ mass_pull_frac }} as decimal(38, 12)) * ({{ concentrate_usd_per_dmt }} - {{ freight_usd_per_dmt }}) - {{ milling_usd_per_dmt }} as decimal(18, 8))
{%- endmacro %}

{# Copper that ore gives up: ore x grade / 100 x recovery, in the mass's unit. Oracles O5 and O14. #}
{% macro recovered_cu(ore_dmt, cu_pct, recovery_frac) -%}
    cast({{ wide(ore_dmt) }} * {{ cu_pct }} * 0.01 * {{ recovery_frac }} as decimal(24, 8))
{%- endmacro %}

{# What a stratum may mine between two days, both included: tonnes a day x days. Oracle O10. #}
{% macro capacity_t(t_per_day, first_day, last_day) -%}
    ({{ t_per_day }} * ({{ days_between(first_day, last_day) }} + 1))
{%- endmacro %}
