{# What a provisional sheet pays: its value x the provisional share, or all of it where none is stated. C8. #}
{% macro provisional_usd(value_usd, provisional_pct) -%}
    {{ cents(real(value_usd) ~ ' * coalesce(' ~ provisional_pct ~ ', 100) / 100') }}
{%- endmacro %}

{# What is invoiced at each stage: all at once, the provisional share, or the final value less what was paid before. C8. #}
{% macro invoiced_usd(stage_code, value_usd, provisional_pct, paid_before_usd) -%}
    cast(
        case {{ stage_code }}
            when 'PROVISIONAL' then {{ provisional_usd(value_usd, provisional_pct) }}
            when 'FINAL' then {{ value_usd }} - {{ paid_before_usd }}
            else {{ value_usd }}
        end as decimal(18, 2)
    )
{%- endmacro %}
