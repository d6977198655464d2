{#
  The rules that models read, by seed. A code that stands here and not once in its seed fails the seed's test
  (rules_as_read), which stops the build; one that a model asks for and that does not stand here stops the reading of the
  project. Without both, a rule that is not found would be null, and whatever it decides never so.
#}
{% macro rule_codes() -%}
    {{ return({
        'ref_settlement_rule': [
            'VALUE', 'UNIT_VALUE', 'PAYABLE_MASS', 'WET_MASS', 'MOISTURE', 'CU', 'AS', 'SB', 'BI', 'PB_ZN', 'AG', 'AU',
            'COPPER_PRICE', 'PRECIOUS_PRICE', 'IGV', 'DETRACTION', 'TO_PAY', 'ASSAY_PAIRS_LEAST', 'ASSAY_BIAS_LEAST',
            'ASSAY_ERRORS_LEAST',
        ],
        'lot_rules': ['CAMPAIGN_TOLERANCE_FRAC', 'LOT_TOLERANCE_FRAC'],
        'imputation_rules': ['TAIL_FRAC', 'WIDENING_FRAC', 'RATIO_ROUNDING', 'PAPERS_MISSING_FRAC', 'LEFT_OVER_FRAC'],
        'ref_price_rule': ['CARRY_DAYS_MOST', 'MONTH_QUOTED_DAYS_LEAST'],
        'ref_price_measure_rule': ['SALES_LEAST', 'SELLERS_LEAST', 'QUANTILES_LEAST', 'HAULS_LEAST', 'LARGEST_BUYERS'],
        'mineral_attribution_rules': [
            'MIN_CONFIDENCE_FRAC', 'NEIGHBOUR_STRENGTH', 'COPPER_MIN_PCT', 'GOLD_MIN_G_PER_DMT',
        ],
        'registry_snapshot_rules': [
            'CONTINUITY_MIN_FRAC', 'DEPARTMENT_MIN_FRAC', 'DEPARTMENT_MIN_COUNT', 'LOOK_BACK_FILES',
        ],
        'match_rules': [
            'TICKET_WAYBILL', 'OWN_CODE', 'OWN_CODE_VOUCHER', 'ORE_AT_PIT', 'ORE_BETWEEN_COLLECTORS', 'ORE_AT_PLANT',
            'CONCENTRATE', 'EXPORT', 'HAULAGE', 'MILLING', 'BILLER_FEE', 'CONCESSION_FEE', 'LABORATORY',
        ],
    }) }}
{%- endmacro %}

{# The number of a rule, from its seed. #}
{% macro rule_value(seed, code, column='threshold') -%}
    {%- if code not in rule_codes()[seed] -%}
        {{ exceptions.raise_compiler_error(
            seed ~ " has no rule '" ~ code ~ "'. What to do: write one of " ~ rule_codes()[seed] | join(', ')
            ~ ', or add it to the seed and to the macro rule_codes.'
        ) }}
    {%- endif -%}
    (select rules.{{ column }} from {{ ref(seed) }} as rules where rules.rule_code = '{{ code }}')
{%- endmacro %}
