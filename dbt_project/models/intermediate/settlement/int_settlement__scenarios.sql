-- Settlement sheets valued anew with one term changed: every scenario of the seed where a sheet's value does not follow
-- from its own terms (from which does it follow?), and those of other evidence wherever that evidence contradicts the
-- sheet. `explains` says that the sheet's value is the scenario's, within a cent.
{% set grades = settled_grades() %}
{% set metals = ['copper_usd_per_t', 'silver_usd_per_oz', 'gold_usd_per_oz'] %}
with known as (
    select
        sheets.*,
        {% for grade in ['moisture_pct'] + (grades | list) %}
            evidence.agreed_{{ grade }},
        {% endfor %}
        {% for metal in metals %}
            evidence.quoted_{{ metal }},
            evidence.delivered_{{ metal }},
        {% endfor %}
        evidence.ticket_wmt,
        coalesce(
            {{ mean_grade('evidence.seller_cu_pct', 'evidence.umpire_cu_pct') }},
            cast(sheets.cu_pct / (1 + laboratories.mean_difference_frac) as decimal(12, 4))
        ) as unbiased_cu_pct,
        {{ differs('sheets.value_usd', 'sheets.due_value_usd', 'VALUE') }} as is_off,
        {{ differs('sheets.copper_usd_per_t', 'evidence.quoted_copper_usd_per_t', 'COPPER_PRICE') }}
        or {{ differs('sheets.silver_usd_per_oz', 'evidence.quoted_silver_usd_per_oz', 'PRECIOUS_PRICE') }}
        or {{ differs('sheets.gold_usd_per_oz', 'evidence.quoted_gold_usd_per_oz', 'PRECIOUS_PRICE') }} as is_price_off,
        coalesce(sheets.quotation_month <> evidence.delivered_quotation_month, false) as is_month_off,
        {{ any_grade_differs('sheets', 'evidence') }} as is_grade_off,
        {{ differs('sheets.moisture_pct', 'evidence.agreed_moisture_pct', 'MOISTURE') }} as is_moisture_off,
        {{ differs('sheets.settled_wmt', 'evidence.ticket_wmt', 'WET_MASS') }} as is_wet_mass_off,
        coalesce(laboratories.is_biased, false) and sheets.stage_code <> 'PROVISIONAL' as is_laboratory_off
    from {{ ref('int_settlement__sheets_valued') }} as sheets
    inner join {{ ref('int_settlement__evidence') }} as evidence
        on {{ same_sheet('sheets', 'evidence') }}
    left join {{ ref('int_settlement__assay_bias') }} as laboratories
        on
            evidence.buyer_laboratory_key = laboratories.laboratory_key
            and evidence.is_synthetic = laboratories.is_synthetic
),

tried as (
    select
        known.*,
        scenarios.scenario_code,
        scenarios.evidence_code,
        scenarios.rank_number,
        case
            when scenarios.scenario_code <> 'STATED_MASS' or known.settled_dmt is null then scenarios.term_code
            when {{ differs('known.settled_dmt', 'known.due_dmt', 'PAYABLE_MASS') }} then 'MOISTURE'
            else 'HANDLING_LOSS'
        end as term_code,
        case scenarios.scenario_code
            when 'QUOTED_PRICE' then known.is_price_off
            when 'DELIVERED_PRICE' then known.is_month_off
            when 'EXCHANGED_GRADE' then known.is_grade_off
            when 'CERTIFIED_MOISTURE' then known.is_moisture_off
            when 'TICKET_MASS' then known.is_wet_mass_off
            when 'UNBIASED_GRADE' then known.is_laboratory_off
            else false
        end as is_contradicted
    from known
    cross join {{ ref('ref_settlement_scenario') }} as scenarios
),

-- The mass before the handling loss comes off it, where a scenario has another.
dried as (
    select
        *,
        case scenario_code
            when 'NO_MOISTURE' then settled_wmt
            when 'CERTIFIED_MOISTURE' then {{ shown_t(dry_dmt('settled_wmt', 'agreed_moisture_pct')) }}
            when 'TICKET_MASS' then {{ shown_t(dry_dmt('ticket_wmt', 'moisture_pct')) }}
        end as other_dmt
    from tried
    where is_off or is_contradicted
),

sheets as (
    select
        buyer_key,
        settlement_id,
        is_synthetic,
        scenario_code,
        term_code,
        evidence_code,
        rank_number,
        is_contradicted,
        value_usd,
        due_value_usd as sheet_due_value_usd,
        payable_pct,
        deduction_pct,
        silver_deduction_g_per_dmt,
        silver_refining_usd_per_oz,
        gold_minimum_g_per_dmt,
        gold_refining_usd_per_oz,
        participation_base_usd_cents_per_lb,
        cast(
            case
                when scenario_code = 'STATED_MASS' then stated_payable_dmt
                when scenario_code = 'NO_HANDLING_LOSS' then {{ shown_t('due_dmt') }}
                when other_dmt is not null then {{ shown_t(after_loss_dmt('other_dmt', 'handling_loss_pct')) }}
                else payable_dmt
            end as decimal(14, 6)
        ) as payable_dmt,
        case
            when scenario_code = 'CERTIFIED_MOISTURE' then coalesce(agreed_moisture_pct, moisture_pct) else moisture_pct
        end as moisture_pct,
        case scenario_code
            when 'EXCHANGED_GRADE' then coalesce(agreed_cu_pct, cu_pct)
            when 'UNBIASED_GRADE' then coalesce(unbiased_cu_pct, cu_pct)
            else cu_pct
        end as cu_pct,
        {% for grade in grades if grade != 'cu_pct' %}
            case
                when scenario_code = 'EXCHANGED_GRADE' then coalesce(agreed_{{ grade }}, {{ grade }}) else {{ grade }}
            end as {{ grade }},
        {% endfor %}
        {% for metal in metals %}
            case scenario_code
                when 'QUOTED_PRICE' then coalesce(quoted_{{ metal }}, {{ metal }})
                when 'DELIVERED_PRICE' then coalesce(delivered_{{ metal }}, {{ metal }})
                else {{ metal }}
            end as {{ metal }},
        {% endfor %}
        {% for scenario, term in {
            'NO_PROTECTION': 'price_protection_usd_per_lb', 'NO_TREATMENT': 'treatment_usd_per_dmt',
            'NO_REFINING': 'refining_usd_per_lb', 'NO_PARTICIPATION': 'participation_pct',
            'NO_ASSAY_FEE': 'assay_fee_usd', 'NO_LOADING': 'loading_usd',
            'NO_FREIGHT': 'freight_usd', 'NO_PENALTIES': 'penalties_usd_per_dmt', 'NO_CREDITS': 'credits_usd_per_dmt',
        }.items() %}
            case when scenario_code <> '{{ scenario }}' then {{ term }} end as {{ term }},
        {% endfor %}
        case when scenario_code not in ('STATED_CREDITS', 'NO_CREDITS') then silver_payable_pct end
            as silver_payable_pct,
        case when scenario_code not in ('STATED_CREDITS', 'NO_CREDITS') then gold_payable_pct end
            as gold_payable_pct,
        case when scenario_code not in ('STATED_PENALTIES', 'NO_PENALTIES') then penalty_terms end as penalty_terms,
        case
            when scenario_code <> 'OTHER_PAYABILITY_RULE' then payability_rule_code
            when payability_rule_code = 'ESTANDAR' then 'SECUENCIAL'
            else 'ESTANDAR'
        end as payability_rule_code,
        case
            when scenario_code = 'ROUNDING_BY_LINE' then 'POR_LINEA'
            when scenario_code <> 'OTHER_ROUNDING' then rounding_code
            when rounding_code = 'EXACTO' then 'TRUNCADO'
            else 'EXACTO'
        end as rounding_code
    from dried
),

{{ settlement_valued('sheets') }}

select
    buyer_key,
    settlement_id,
    scenario_code,
    term_code,
    evidence_code,
    rank_number,
    is_contradicted,
    sheet_due_value_usd,
    due_value_usd as scenario_value_usd,
    {{ differs('value_usd', 'sheet_due_value_usd', 'VALUE') }}
    and abs(value_usd - due_value_usd) <= {{ settlement_rule('VALUE') }} as explains,
    is_synthetic
from valued
order by is_synthetic, buyer_key, settlement_id, rank_number
