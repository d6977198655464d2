{#
  What a public buyer's linear tariff pays for a dry tonne: base price + scale x (grade - base grade), US$. Seed
  ref_buyer_tariff; oracle O4''.
#}
{% macro tariff_usd_per_dmt(cu_pct, base_cu_pct, base_price_usd_per_dmt, scale_usd_per_dmt_pct) -%}
    {{ fixed(base_price_usd_per_dmt ~ ' + ' ~ real(scale_usd_per_dmt_pct) ~ ' * (' ~ cu_pct ~ ' - (' ~ base_cu_pct ~ '))') }}
{%- endmacro %}

{# Dry tonnes of concentrate that a dry tonne of ore makes: ore grade x recovery / concentrate grade. #}
{% macro mass_pull_frac(ore_cu_pct, recovery_frac, concentrate_cu_pct) -%}
    {{ fixed(real(ore_cu_pct) ~ ' * (' ~ recovery_frac ~ ') / (' ~ concentrate_cu_pct ~ ')') }}
{%- endmacro %}

{#
  The most that a plant can pay for a dry tonne of ore and lose nothing: mass pull x (value of a tonne of its concentrate -
  its freight) - milling, US$. Oracle O4b.
#}
{% macro ore_netback_usd_per_dmt(mass_pull_frac, concentrate_usd_per_dmt, freight_usd_per_dmt, milling_usd_per_dmt) -%}
    {{ fixed(
        real(mass_pull_frac) ~ ' * (' ~ concentrate_usd_per_dmt ~ ' - (' ~ freight_usd_per_dmt ~ ')) - (' ~ milling_usd_per_dmt ~ ')'
    ) }}
{%- endmacro %}

{# Copper that ore gives up: ore x grade / 100 x recovery, in the mass's unit. Oracles O5 and O14. #}
{% macro recovered_cu(ore_dmt, cu_pct, recovery_frac) -%}
    {{ fixed(real(ore_dmt) ~ ' * (' ~ cu_pct ~ ') / 100 * (' ~ recovery_frac ~ ')') }}
{%- endmacro %}

{# What a stratum may mine between two days, both included: tonnes a day x days. Oracle O10. #}
{% macro capacity_t(t_per_day, first_day, last_day) -%}
    ({{ t_per_day }} * ({{ days_between(first_day, last_day) }} + 1))
{%- endmacro %}

{#
  The linear tariff at another copper price than the one that it was drawn up for: the schedule, and the difference of the
  prices on the copper that is recovered; never below zero, US$ per dry tonne. `terms` is a row of seed ref_buyer_tariff.
#}
{% macro tariff_at_price_usd_per_dmt(cu_pct, usd_cents_per_lb, terms) -%}
    cast(greatest(
        {{ tariff_usd_per_dmt(
            cu_pct, terms ~ '.base_cu_pct', terms ~ '.base_price_usd_per_dmt', terms ~ '.scale_usd_per_dmt_pct'
        ) }}
        + {{ wide(usd_per_t_of_cents('(' ~ usd_cents_per_lb ~ ' - ' ~ terms ~ '.schedule_usd_cents_per_lb)')) }}
        * {{ cu_pct }} * 0.01 * {{ terms }}.recovery_frac, 0
    ) as decimal(18, 8))
{%- endmacro %}

{# US$ per tonne of a price in US cents per pound, and back. #}
{% macro usd_per_t_of_cents(usd_cents_per_lb) -%}
    cast({{ wide(usd_cents_per_lb) }} * {{ lb_per_t() }} * 0.01 as decimal(18, 8))
{%- endmacro %}

{% macro cents_of_usd_per_t(usd_per_t) -%}
    cast({{ usd_per_t }} * 100 / {{ lb_per_t() }} as decimal(18, 6))
{%- endmacro %}

{# Support on a price below the support price: the gap, up to the most that is given, US cents per pound. #}
{% macro support_usd_cents_per_lb(usd_cents_per_lb, support_price_usd_cents_per_lb, most_usd_cents_per_lb) -%}
    least(greatest({{ support_price_usd_cents_per_lb }} - {{ usd_cents_per_lb }}, 0), {{ most_usd_cents_per_lb }})
{%- endmacro %}

{# What a fund holds after a period: its interest added, fees and support (less what was withheld) taken off. Oracle O4'. #}
{% macro fund_closing_usd(opening_usd, interest_usd, fees_usd, support_usd) -%}
    cast({{ opening_usd }} + {{ interest_usd }} - {{ fees_usd }} - ({{ support_usd }}) as decimal(18, 2))
{%- endmacro %}

{# A month's interest at a rate a year, none on what is below zero. #}
{% macro month_interest_usd(amount_usd, pct_per_year) -%}
    cast(round({{ wide('greatest(' ~ amount_usd ~ ', 0)') }} * {{ pct_per_year }} * 0.01 / 12, 2) as decimal(18, 2))
{%- endmacro %}

{# What a month's prices above the support price give back of what producers owe a fund. `month` is a row of mart_buyer_fund's months. #}
{% macro withheld_usd(owed_usd, month) -%}
    least({{ month }}.withholdable_usd, {{ owed_usd }} + {{ month_interest_usd(owed_usd, month ~ '.credit_interest_pct_per_year') }})
{%- endmacro %}
