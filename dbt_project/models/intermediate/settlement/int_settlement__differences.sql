-- What is different on settlement sheets, one row for each sheet, term and evidence, in US$: what the sheet says less
-- what is expected; below zero the seller gets less, but of the terms DETRACTION_...: less is deposited, and the
-- seller has more in hand. Evidence SHEET: the sheet's own arithmetic. PRICE, TICKET, CERTIFICATE, LABORATORY: the
-- sheet by its own terms but for what that evidence says. LAW: taxes, which move cash and not value. DEPOSIT: a deposit
-- after the transport, which differs by days alone.
with sheets as (
    select * from {{ ref('int_settlement__lots_valued') }}
),

taxed as (
    select
        sheets.*,
        evidence.spot_rate_pct,
        evidence.is_deposit_before_transport,
        coalesce(evidence.departed_date, evidence.delivered_date) as departed_date,
        -- An operation without IGV, as a sheet has it that takes neither, is no matter of the rate.
        case
            when sheets.igv_usd = 0 and coalesce(sheets.detraction_base_code, 'NO_AFECTO') = 'NO_AFECTO'
                then sheets.igv_usd
            else {{ igv_usd('sheets.invoiced_usd', 'evidence.igv_rate_pct') }}
        end as expected_igv_usd,
        {{ spot_base_usd(
            'sheets.detraction_base_code', 'sheets.invoiced_usd', 'sheets.igv_usd', 'sheets.advance_usd'
        ) }} as own_base_usd,
        -- An operation without IGV is outside of the deposit.
        case
            when sheets.igv_usd = 0 then cast(0 as decimal(18, 2))
            else {{ spot_base_usd("'TOTAL'", 'sheets.invoiced_usd', 'sheets.igv_usd', 'sheets.advance_usd') }}
        end as lawful_base_usd,
        {{ cents('coalesce(sheets.detraction_pen / nullif(sheets.pen_per_usd, 0), 0)') }} as deposit_usd
    from sheets
    inner join {{ ref('int_settlement__evidence') }} as evidence
        on {{ same_sheet('sheets', 'evidence') }}
),

deposited as (
    select
        *,
        {{ spot_deposit('own_base_usd', 'coalesce(detraction_pct, 0)') }} as own_deposit_usd,
        {{ spot_deposit('own_base_usd', 'spot_rate_pct') }} as own_base_deposit_usd,
        {{ spot_deposit('lawful_base_usd', 'spot_rate_pct') }} as lawful_deposit_usd,
        cast(
            invoiced_usd + coalesce(igv_usd, 0) - coalesce(advance_usd, 0) - deposit_usd as decimal(18, 2)
        ) as expected_to_pay_usd,
        {{ days_between('departed_date', 'detraction_deposit_date') }} as late_days
    from taxed
),

found as (
    select
        buyer_key,
        settlement_id,
        is_synthetic,
        difference_term_code as term_code,
        'SHEET' as evidence_code,
        value_usd as stated_usd,
        value_recomputed_usd as expected_usd,
        null as days_late
    from sheets
    where difference_term_code is not null

    union all

    select
        buyer_key,
        settlement_id,
        is_synthetic,
        term_code,
        evidence_code,
        sheet_due_value_usd as stated_usd,
        scenario_value_usd as expected_usd,
        null as days_late
    from {{ ref('int_settlement__scenarios') }}
    where is_contradicted

    {% for term, evidence, stated, expected, condition in [
        ('IGV', 'LAW', 'igv_usd', 'expected_igv_usd', differs('igv_usd', 'expected_igv_usd', 'IGV')),
        ('DETRACTION_RATE', 'LAW', 'own_deposit_usd', 'own_base_deposit_usd', differs(
            real('own_deposit_usd') ~ ' * pen_per_usd', real('own_base_deposit_usd') ~ ' * pen_per_usd', 'DETRACTION'
        ) ~ " and detraction_base_code <> 'NO_AFECTO'"),
        ('DETRACTION_BASE', 'LAW', 'own_base_deposit_usd', 'lawful_deposit_usd', differs(
            real('own_base_deposit_usd') ~ ' * pen_per_usd', real('lawful_deposit_usd') ~ ' * pen_per_usd', 'DETRACTION'
        )),
        ('DETRACTION_AMOUNT', 'SHEET', 'deposit_usd', 'own_deposit_usd', differs(
            'detraction_pen', real('own_deposit_usd') ~ ' * pen_per_usd', 'DETRACTION'
        )),
        ('TO_PAY', 'SHEET', 'to_pay_usd', 'expected_to_pay_usd', differs('to_pay_usd', 'expected_to_pay_usd', 'TO_PAY')),
        ('LATE_DEPOSIT', 'DEPOSIT', 'deposit_usd', 'deposit_usd', 'is_deposit_before_transport and late_days > 0'),
    ] %}
        union all

        select
            buyer_key,
            settlement_id,
            is_synthetic,
            '{{ term }}' as term_code,
            '{{ evidence }}' as evidence_code,
            {{ stated }} as stated_usd,
            {{ expected }} as expected_usd,
            {{ 'late_days' if term == 'LATE_DEPOSIT' else 'null' }} as days_late
        from deposited
        where {{ condition }}
    {% endfor %}
)

select
    sheets.buyer_key,
    sheets.settlement_id,
    sheets.lot_key,
    sheets.lot_id,
    sheets.stage_code,
    sheets.settlement_date,
    found.term_code,
    found.evidence_code,
    cast(found.stated_usd as decimal(18, 2)) as stated_usd,
    cast(found.expected_usd as decimal(18, 2)) as expected_usd,
    cast(found.stated_usd - found.expected_usd as decimal(18, 2)) as difference_usd,
    cast(found.days_late as integer) as days_late,
    sheets.is_synthetic
from sheets
inner join found
    on {{ same_sheet('sheets', 'found') }}
order by sheets.is_synthetic, sheets.buyer_key, sheets.settlement_id, found.term_code, found.evidence_code
