-- Every row of a file that says something of the mineral of a registration, so that an attribution can be walked back.
-- The registry itself has no such column. A holder's own declaration and answer name the mineral; papers of the chain
-- count where they name the registration and its own holder as the operator: where somebody else stands beside the
-- code, the registration was lent and its papers speak of another's ore. Contracts name no mineral. How much each
-- kind weighs: seed mineral_evidence_rules.
{% set least_copper = rule_value('mineral_attribution_rules', 'COPPER_MIN_PCT') %}
{% set least_gold = rule_value('mineral_attribution_rules', 'GOLD_MIN_G_PER_DMT') %}
with holders as (
    select distinct
        registration_key,
        party_key,
        mining_right_id_ingemmet,
        is_synthetic
    from {{ ref('dim_registration') }}
),

holding as (
    select
        registration_key,
        party_key,
        is_synthetic
    from holders

    union

    -- those who left before the first file of the registry
    select
        reinfo_key as registration_key,
        party_key,
        is_synthetic
    from {{ ref('stg_partner_step_events__events') }}
    where is_current and reinfo_key is not null
),

-- Vouchers and waybills have no registration code: a holder and its right point to one if there is no other of theirs.
by_right as (
    select
        party_key,
        coalesce(mining_right_id_ingemmet, '') as mining_right_id,
        is_synthetic,
        min(registration_key) as registration_key
    from holders
    group by party_key, coalesce(mining_right_id_ingemmet, ''), is_synthetic
    having count(distinct registration_key) = 1
),

-- Lots whose ticket or settlement names the registration and its own holder.
lots as (
    select distinct
        tickets.reinfo_key as registration_key,
        tickets.lot_id,
        tickets.is_synthetic
    from (
        select
            reinfo_key,
            operator_key,
            lot_id,
            is_synthetic
        from {{ ref('stg_partner_weigh_tickets__tickets') }}
        where is_current

        union

        select
            reinfo_key,
            operator_key,
            lot_id,
            is_synthetic
        from {{ ref('stg_partner_settlements__settlements') }}
        where is_current
    ) as tickets
    inner join holding
        on
            tickets.reinfo_key = holding.registration_key
            and tickets.operator_key = holding.party_key
            and tickets.is_synthetic = holding.is_synthetic
),

-- A code of a lot that several registrations share tells of none of them.
lots_of_one as (
    select
        lot_id,
        is_synthetic,
        min(registration_key) as registration_key
    from lots
    group by lot_id, is_synthetic
    having count(*) = 1
),

seller as (
    select
        document_key,
        issue_date,
        is_synthetic,
        landing_sha256,
        case document_type_code when '04' then counterparty_key when '31' then sender_key else issuer_key end
            as party_key
    from {{ ref('stg_sunat_documents__documents') }}
    where is_current and document_type_code in ('01', '04', '09', '31')
),

goods as (
    select
        by_right.registration_key,
        seller.issue_date,
        ' ' || {{ place_name_key('lines.item_description') }} || ' ' as words,
        lines.is_synthetic,
        lines.landing_sha256,
        lines.row_number
    from {{ ref('stg_sunat_documents__lines') }} as lines
    inner join seller
        on
            lines.document_key = seller.document_key
            and lines.landing_sha256 = seller.landing_sha256
    inner join by_right
        on
            seller.party_key = by_right.party_key
            and coalesce({{ json_value('lines.item_properties', '6000') }}, '') = by_right.mining_right_id
            and seller.is_synthetic = by_right.is_synthetic
    where lines.is_current
),

described as (
    select
        goods.registration_key,
        goods.issue_date,
        goods.is_synthetic,
        goods.landing_sha256,
        goods.row_number,
        bool_or(words.word_kind = 'COPPER') as names_copper,
        bool_or(words.word_kind = 'GOLD') as names_gold
    from goods
    inner join {{ ref('mineral_words') }} as words on goods.words like '% ' || words.word || ' %'
    group by
        goods.registration_key, goods.issue_date, goods.is_synthetic, goods.landing_sha256, goods.row_number
    -- a copper cable is no ore
    having bool_or(words.word_kind = 'GOODS')
),

assayed as (
    select
        lots_of_one.registration_key,
        assays.certificate_date,
        assays.cu_pct >= {{ least_copper }} as has_copper,
        coalesce(assays.au_g_per_dmt >= {{ least_gold }}, false) as has_gold,
        assays.is_synthetic,
        assays.landing_sha256,
        assays.row_number
    from {{ ref('stg_partner_assays__certificates') }} as assays
    inner join lots_of_one on assays.lot_id = lots_of_one.lot_id and assays.is_synthetic = lots_of_one.is_synthetic
    where assays.is_current and assays.cu_pct is not null
),

settled as (
    select
        settlements.reinfo_key as registration_key,
        settlements.settlement_date,
        settlements.cu_pct >= {{ least_copper }} as has_copper,
        coalesce(settlements.au_g_per_dmt >= {{ least_gold }}, false) as has_gold,
        settlements.is_synthetic,
        settlements.landing_sha256,
        settlements.row_number
    from {{ ref('stg_partner_settlements__settlements') }} as settlements
    inner join holding
        on
            settlements.reinfo_key = holding.registration_key
            and settlements.operator_key = holding.party_key
            and settlements.is_synthetic = holding.is_synthetic
    where settlements.is_current and settlements.cu_pct is not null
),

found as (
    select
        reinfo_key as registration_key,
        'DECLARACION' as evidence_code,
        declared_mineral_code as says_code,
        event_date as evidence_date,
        'partner_step_events__events' as source_table,
        is_synthetic,
        landing_sha256,
        row_number
    from {{ ref('stg_partner_step_events__events') }}
    where is_current and reinfo_key is not null and declared_mineral_code is not null

    union all

    select
        reinfo_key as registration_key,
        'ENCUESTA' as evidence_code,
        mineral_code as says_code,
        survey_date as evidence_date,
        'partner_surveys__answers' as source_table,
        is_synthetic,
        landing_sha256,
        row_number
    from {{ ref('stg_partner_surveys__answers') }}
    where is_current and reinfo_key is not null and mineral_code is not null

    union all

    -- every form of product that the scales' files know is of copper
    select
        tickets.reinfo_key as registration_key,
        'BALANZA' as evidence_code,
        'CON_COBRE' as says_code,
        cast(tickets.weighed_in_at as date) as evidence_date,
        'partner_weigh_tickets__tickets' as source_table,
        tickets.is_synthetic,
        tickets.landing_sha256,
        tickets.row_number
    from {{ ref('stg_partner_weigh_tickets__tickets') }} as tickets
    inner join holding
        on
            tickets.reinfo_key = holding.registration_key
            and tickets.operator_key = holding.party_key
            and tickets.is_synthetic = holding.is_synthetic
    where tickets.is_current and tickets.product_form_code is not null

    union all

    select
        registration_key,
        'LIQUIDACION' as evidence_code,
        {{ says_by_metals('has_copper', 'has_gold', 'CON_COBRE_Y_ORO') }} as says_code,
        settlement_date as evidence_date,
        'partner_settlements__settlements' as source_table,
        is_synthetic,
        landing_sha256,
        row_number
    from settled
    where has_copper or has_gold

    union all

    select
        registration_key,
        'ENSAYE' as evidence_code,
        {{ says_by_metals('has_copper', 'has_gold', 'CON_COBRE_Y_ORO') }} as says_code,
        certificate_date as evidence_date,
        'partner_assays__certificates' as source_table,
        is_synthetic,
        landing_sha256,
        row_number
    from assayed
    where has_copper or has_gold

    union all

    select
        registration_key,
        'DOCUMENTO' as evidence_code,
        {{ says_by_metals('names_copper', 'names_gold', 'COBRE_ORO') }} as says_code,
        issue_date as evidence_date,
        'sunat_documents__lines' as source_table,
        is_synthetic,
        landing_sha256,
        row_number
    from described
    where names_copper or names_gold
)

select * from found
