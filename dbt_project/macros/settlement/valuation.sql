{#
  CTEs that value sheets by their terms; the last one is `valued`. `sheets` names a CTE with the columns of settlement
  sheets. What their terms make due is added in columns `due_*`, US$ per dry tonne paid and US$: the value per tonne is
  copper + credits - refining - participation - treatment - penalties - assays - loading - freight (C7). Where the terms of
  penalties or of both precious metals are not on the sheet, or a penalised grade, or the grade or price of a metal that
  has terms is not, what the sheet says of them is taken as it is. A metal without terms beside one that has them is not paid.
#}
{% macro settlement_valued(sheets) -%}
measured as (
    select
        {{ sheets }}.*,
        {{ payable_cu_pct('cu_pct', 'payable_pct', 'deduction_pct', 'payability_rule_code') }} as due_payable_cu_pct,
        {{ rounded_price(protected_usd_per_t('copper_usd_per_t', 'price_protection_usd_per_lb'), 'rounding_code') }}
            as due_price_usd_per_t,
        coalesce(
            case
                when silver_payable_pct is not null or gold_payable_pct is not null
                    then
                        case when silver_payable_pct is null then 0 else {{ precious_credit_usd(
                            silver_payable_g_per_dmt(
                                'ag_g_per_dmt', 'silver_payable_pct', 'coalesce(silver_deduction_g_per_dmt, 0)'
                            ), 'silver_usd_per_oz', 'coalesce(silver_refining_usd_per_oz, 0)'
                        ) }} end
                        + case when gold_payable_pct is null then 0 else {{ precious_credit_usd(
                            gold_payable_g_per_dmt(
                                'au_g_per_dmt', 'gold_payable_pct', 'coalesce(gold_minimum_g_per_dmt, 0)'
                            ), 'gold_usd_per_oz', 'coalesce(gold_refining_usd_per_oz, 0)'
                        ) }} end
            end,
            {{ fixed('coalesce(credits_usd_per_dmt, 0)') }}
        ) as exact_credits_usd_per_dmt,
        case
            when penalty_terms is null or fines.unmeasured_count > 0
                then {{ fixed('coalesce(penalties_usd_per_dmt, fines.usd_per_dmt, 0)') }}
            else {{ fixed('fines.usd_per_dmt') }}
        end as exact_penalties_usd_per_dmt
    from {{ sheets }}
    left join lateral (
        select
            sum(penalty) as usd_per_dmt,
            count(*) - count(penalty) as unmeasured_count
        from (
            select
                {{ penalty_usd_per_dmt(
                    penalised_grade_pct('clauses.element_code', sheets), 'clauses.free_pct', 'clauses.step_pct', 'clauses.usd_per_dmt_step'
                ) }} as penalty
            from {{ ref('int_settlement__penalty_clauses') }} as clauses
            where clauses.penalty_terms = {{ sheets }}.penalty_terms
        ) as clauses_due
    ) as fines on true
),

itemised as (
    select
        *,
        {% for item, exact in {
            'copper': copper_usd_per_dmt('due_payable_cu_pct', 'due_price_usd_per_t'),
            'credits': 'exact_credits_usd_per_dmt',
            'refining': refining_usd_per_dmt('due_payable_cu_pct', 'refining_usd_per_lb'),
            'participation': 'coalesce(' ~ price_participation_usd(
                pounds(real('due_payable_cu_pct') ~ ' / 100'), real('due_price_usd_per_t') ~ ' * 100 / ' ~ lb_per_t(),
                'participation_base_usd_cents_per_lb', '(participation_pct / 100)'
            ) ~ ', 0)',
            'treatment': fixed('coalesce(treatment_usd_per_dmt, 0)'),
            'penalties': 'exact_penalties_usd_per_dmt',
            'assay_fee': fixed('coalesce(assay_fee_usd, 0) / nullif(payable_dmt, 0)'),
            'loading': fixed('coalesce(loading_usd, 0) / nullif(payable_dmt, 0)'),
            'freight': fixed('coalesce(freight_usd, 0) / nullif(payable_dmt, 0)'),
        }.items() -%}
        {{ rounded_line(exact, 'rounding_code') }} as due_{{ item }}_usd_per_dmt
        {%- if not loop.last %},
        {% endif %}
        {%- endfor %}
    from measured
),

totalled as (
    select
        * exclude (exact_credits_usd_per_dmt, exact_penalties_usd_per_dmt),
        {{ rounded_unit_value(
            real('due_copper_usd_per_dmt') ~ ' + due_credits_usd_per_dmt - due_refining_usd_per_dmt'
            ~ ' - due_participation_usd_per_dmt - due_treatment_usd_per_dmt'
            ~ ' - due_penalties_usd_per_dmt - due_assay_fee_usd_per_dmt - due_loading_usd_per_dmt - due_freight_usd_per_dmt',
            'rounding_code'
        ) }} as due_unit_value_usd_per_dmt
    from itemised
),

-- A sheet that rounds nothing may go on from the value per tonne that it shows.
valued as (
    select
        *,
        case
            when value_usd = {{ cents(real(shown_unit_value('due_unit_value_usd_per_dmt')) ~ ' * payable_dmt') }}
                then value_usd
            else {{ cents(real('due_unit_value_usd_per_dmt') ~ ' * payable_dmt') }}
        end as due_value_usd
    from totalled
)
{%- endmacro %}
