-- Vouchers that nothing ties to a lot, each with the implied sales and services that it may be about and how like they
-- are: one row per voucher and candidate, at or above the least score of match_rules. Blocked by kind, parties and
-- week. The laboratory of a certificate need not be the one that invoices, the holder of a concession may be known from
-- the voucher alone (what another holder is owed says nothing of it), and the buyer abroad has no key here.
with vouchers as (
    select
        documents.document_key,
        documents.kind_code,
        documents.issue_date,
        documents.value_usd,
        documents.quantity_t,
        documents.seller_key,
        case when documents.kind_code in ('LABORATORY', 'CONCESSION_FEE') then '-' else documents.seller_key end
            as block_seller,
        case when documents.kind_code = 'EXPORT' then '-' else documents.buyer_key end as block_buyer,
        documents.is_synthetic
    from {{ ref('int_document__keyed') }} as keyed
    inner join {{ ref('int_document__classified') }} as documents
        on keyed.document_key = documents.document_key and keyed.is_synthetic = documents.is_synthetic
    where keyed.part_code = 'SALE' and keyed.lot_key is null and keyed.several_code is null
),

taken as (
    select distinct
        keyed.kind_code,
        keyed.lot_key,
        case when keyed.kind_code = 'ORE_BETWEEN_COLLECTORS' then documents.buyer_key else '-' end as taken_by,
        keyed.is_synthetic
    from {{ ref('int_document__keyed') }} as keyed
    inner join {{ ref('int_document__classified') }} as documents
        on keyed.document_key = documents.document_key and keyed.is_synthetic = documents.is_synthetic
    where keyed.part_code = 'SALE' and keyed.lot_key is not null
),

free as (
    select
        implied.*,
        case
            when implied.kind_code in ('LABORATORY', 'CONCESSION_FEE') then '-'
            else coalesce(implied.invoicing_party_key, implied.payee_key)
        end as block_seller,
        case when implied.kind_code = 'EXPORT' then '-' else implied.payer_key end as block_buyer,
        {{ week_of('implied.match_date') }} as week
    from {{ ref('int_transfer__implied') }} as implied
    left join taken
        on
            implied.kind_code = taken.kind_code
            and implied.lot_key = taken.lot_key
            and implied.is_synthetic = taken.is_synthetic
            and case when implied.kind_code = 'ORE_BETWEEN_COLLECTORS' then implied.payer_key else '-' end
            = taken.taken_by
    where taken.lot_key is null and implied.match_date is not null
),

weeks as (
    select
        vouchers.*,
        rule.match_code,
        {{ weeks_from('vouchers.issue_date - rule.days_after', 'vouchers.issue_date + rule.days_before') }} as week
    from vouchers
    inner join {{ ref('match_rules') }} as rule on vouchers.kind_code = rule.match_code
),

likenesses as (
    select
        weeks.document_key,
        weeks.kind_code,
        free.lot_key,
        free.block_buyer,
        {{ days_between('free.match_date', 'weeks.issue_date') }} as lag_days,
        case
            when weeks.kind_code <> 'CONCESSION_FEE' or weeks.seller_key = free.payee_key
                then {{ nearness('weeks.value_usd', 'free.match_value_usd', 'rule.value_tolerance_frac') }}
        end as value_nearness,
        {{ nearness('weeks.quantity_t', 'free.match_mass_t', 'rule.mass_tolerance_frac') }} as mass_nearness,
        case when weeks.seller_key = coalesce(free.invoicing_party_key, free.payee_key) then 1 else 0 end as same_party,
        weeks.is_synthetic,
        rule.days_before,
        rule.days_after,
        rule.usual_lag_days,
        rule.date_weight,
        rule.value_weight,
        rule.mass_weight,
        rule.party_weight,
        rule.least_score
    from weeks
    inner join free
        on
            weeks.kind_code = free.kind_code
            and weeks.block_seller = free.block_seller
            and weeks.block_buyer = free.block_buyer
            and weeks.week = free.week
            and weeks.is_synthetic = free.is_synthetic
    inner join {{ ref('match_rules') }} as rule on weeks.match_code = rule.match_code
)

select
    document_key,
    kind_code,
    lot_key,
    block_buyer,
    is_synthetic,
    cast(score as decimal(5, 4)) as score,
    md5(concat(document_key, lot_key)) as tie
from (
    select
        *,
        {{ steady(
            'date_weight * ' ~ date_nearness('lag_days') ~ ' + value_weight * coalesce(value_nearness, 0)'
            ~ ' + mass_weight * coalesce(mass_nearness, 0) + party_weight * same_party'
        ) }} as score
    from likenesses
    where
        lag_days between -days_before and days_after
        and coalesce(value_nearness, 0) >= 0
        and coalesce(mass_nearness, 0) >= 0
) as scored
where score >= least_score
