{# The columns that a kind of paper may tell of a lot, in one order and type; `has` gives what it tells, the rest is null. #}
{% macro told_of_lot(has) -%}
    {%- set types = {
        'product_form_code': 'varchar',
        'mass_wmt': 'decimal(18, 6)',
        'moisture_pct': 'decimal(7, 4)',
        'mass_dmt': 'decimal(18, 6)',
        'cu_pct': 'decimal(8, 4)',
        'copper_g': 'bigint',
        'soluble_frac': 'decimal(7, 6)',
        'value_usd': 'decimal(18, 2)',
        'plant_key': 'varchar',
        'operator_key': 'varchar',
        'reinfo_key': 'varchar',
        'mining_right_id_ingemmet': 'varchar',
        'origin_ubigeo_code': 'varchar',
    } -%}
    {%- for column, type in types.items() -%}
    cast({{ has.get(column, 'null') }} as {{ type }}) as {{ column }}{{ ',\n        ' if not loop.last }}
    {%- endfor -%}
{%- endmacro %}

{# Of the best paper that has it (least evidence_rank), one row per group. #}
{% macro best_told(column) -%}
    min_by({{ column }}, evidence_rank) filter (where {{ column }} is not null)
{%- endmacro %}

{#
  Number of a weigh ticket among those that repeat one weighing: the same scale, lot, plate, gross and tare. Only the first
  counts, and a lot that came in several trucks is the sum of theirs. `lot` is the column that names it.
#}
{% macro repetition_of_weighing(lot) -%}
    row_number() over (
        partition by
            tickets.weighing_party_key, {{ lot }}, tickets.plate_key, tickets.gross_kg, tickets.tare_kg, tickets.is_synthetic
        order by tickets.weighed_in_at, tickets.ticket_id
    )
{%- endmacro %}

{# A tolerance of the lot ledger, from its seed. #}
{% macro lot_rule(code) -%}
    {{ rule_value('lot_rules', code, 'value') }}
{%- endmacro %}

{#
  How much of a campaign's products a lot of its feed is given, as a whole number, so that sums do not depend on an order.
  `recovery` is recovery_frac or one of its bounds.
#}
{% macro allocation_weight(method, recovery) -%}
    {%- if method == 'RECOVERABLE' -%}
    greatest(cast(round(copper_g * {{ recovery }} * 1000) as bigint), 1)
    {%- elif method == 'MASS' -%}
    greatest(mass_g, 1)
    {%- elif method == 'VALUE' -%}
    greatest(cast(round(coalesce(value_usd, copper_g * usd_per_g, copper_g) * 100) as bigint), 1)
    {%- else -%}
    {{ exceptions.raise_compiler_error(
        "dbt variable allocation_method is '" ~ method ~ "'; write RECOVERABLE, MASS or VALUE (dbt_project.yml or --vars)"
    ) }}
    {%- endif -%}
{%- endmacro %}
