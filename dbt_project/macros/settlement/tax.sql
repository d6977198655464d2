{# IGV of an amount, US$, half away from zero at the cent; the rate by date is seed ref_igv_rate. B4. #}
{% macro igv_usd(invoiced_usd, igv_rate_pct) -%}
    {{ cents(real(invoiced_usd) ~ ' * ' ~ igv_rate_pct ~ ' / 100') }}
{%- endmacro %}

{#
  On what the SPOT deposit (detracción) is taken, US$: the whole operation with IGV (TOTAL, as the rule says), what is left
  of it after advances (SALDO, as some plants practise), or nothing (NO_AFECTO). Never below zero: a credit note has no
  deposit. B4.
#}
{% macro spot_base_usd(base_code, invoiced_usd, igv_usd, advance_usd) -%}
    cast(
        case {{ base_code }}
            when 'TOTAL' then {{ not_below_zero(invoiced_usd ~ ' + ' ~ igv_usd) }}
            when 'SALDO' then {{ not_below_zero(invoiced_usd ~ ' + ' ~ igv_usd ~ ' - coalesce(' ~ advance_usd ~ ', 0)') }}
            when 'NO_AFECTO' then 0
        end as decimal(18, 2)
    )
{%- endmacro %}

{# The deposit on a base: base x rate, in the base's currency; rates by date are seed ref_spot_rate. #}
{% macro spot_deposit(base, rate_pct) -%}
    {{ cents(real(base) ~ ' * ' ~ rate_pct ~ ' / 100') }}
{%- endmacro %}
