-- Differences on settlement sheets by month, buyer and stage: for every kind of evidence how many sheets it could
-- check, and for every term how many of them differ and by how much. Term NONE: checked, and nothing differs. A deposit
-- that is too small leaves the seller more in hand: it is told apart from what sellers get less.
{% set deposit_terms = "('DETRACTION_RATE', 'DETRACTION_BASE', 'DETRACTION_AMOUNT')" %}
{% set checked = {
    'SHEET': 'count(*)',
    'PRICE': 'count(coalesce('
        ~ 'evidence.quoted_copper_usd_per_t, evidence.quoted_silver_usd_per_oz, evidence.quoted_gold_usd_per_oz))',
    'TICKET': 'count(evidence.ticket_id)',
    'CERTIFICATE': 'count(coalesce(evidence.agreed_'
        ~ (['moisture_pct'] + (settled_grades() | list)) | join(', evidence.agreed_') ~ '))',
    'LABORATORY': 'count(laboratories.laboratory_key)',
    'LAW': 'count(sheets.igv_usd)',
    'DEPOSIT': 'count(sheets.detraction_deposit_date) filter (where evidence.is_deposit_before_transport)',
} %}
with sheets as (
    select
        *,
        cast(date_trunc('month', settlement_date) as date) as month
    from {{ ref('int_settlement__lots_valued') }}
),

counted as (
    select
        sheets.month,
        sheets.buyer_key,
        sheets.stage_code,
        sheets.is_synthetic,
        sum(sheets.value_usd) as settled_value_usd,
        {% for evidence, count in checked.items() %}
            {{ count }} as checked_{{ evidence | lower }},
        {% endfor %}
        count(*) as sheet_count
    from sheets
    inner join {{ ref('int_settlement__evidence') }} as evidence
        on {{ same_sheet('sheets', 'evidence') }}
    left join {{ ref('int_settlement__assay_bias') }} as laboratories
        on
            evidence.buyer_laboratory_key = laboratories.laboratory_key
            and evidence.is_synthetic = laboratories.is_synthetic
            and laboratories.pair_count >= {{ settlement_rule('ASSAY_PAIRS_LEAST') }}
    group by sheets.month, sheets.buyer_key, sheets.stage_code, sheets.is_synthetic
),

checks as (
    {% for evidence in checked %}
        select
            month,
            buyer_key,
            stage_code,
            is_synthetic,
            sheet_count,
            settled_value_usd,
            '{{ evidence }}' as evidence_code,
            checked_{{ evidence | lower }} as checked_count
        from counted
        where checked_{{ evidence | lower }} > 0
        {% if not loop.last %}union all{% endif %}
    {% endfor %}
),

found as (
    select
        cast(date_trunc('month', settlement_date) as date) as month,
        buyer_key,
        stage_code,
        is_synthetic,
        evidence_code,
        term_code,
        count(*) as difference_count,
        sum(difference_usd) as difference_usd,
        sum(difference_usd) filter (where difference_usd < 0) as below_usd
    from {{ ref('int_settlement__differences') }}
    group by month, buyer_key, stage_code, is_synthetic, evidence_code, term_code
)

select
    checks.month,
    checks.buyer_key,
    checks.stage_code,
    checks.evidence_code,
    coalesce(found.term_code, 'NONE') as term_code,
    checks.sheet_count,
    checks.checked_count,
    coalesce(found.difference_count, 0) as difference_count,
    cast(coalesce(found.difference_usd, 0) as decimal(18, 2)) as difference_usd,
    {% for measure, condition in {'seller_shortfall_usd': 'not in', 'deposit_shortfall_usd': 'in'}.items() %}
        cast(
            case when found.term_code {{ condition }} {{ deposit_terms }} then coalesce(-found.below_usd, 0) else 0 end
            as decimal(18, 2)
        ) as {{ measure }},
    {% endfor %}
    cast(checks.settled_value_usd as decimal(18, 2)) as settled_value_usd,
    checks.is_synthetic
from checks
left join found
    on
        checks.month = found.month
        and checks.buyer_key = found.buyer_key
        and checks.stage_code = found.stage_code
        and checks.evidence_code = found.evidence_code
        and checks.is_synthetic = found.is_synthetic
order by
    checks.is_synthetic, checks.month, checks.buyer_key, checks.stage_code, checks.evidence_code, found.term_code
