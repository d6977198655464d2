-- What is wrong with the papers of lots, each with its rows (landing file/row of partner_campaigns__lines). Findings
-- change nothing: copper that does not balance stands in the ledger as UNACCOUNTED, what goes in circles is not
-- followed.
with lines as (
    select
        campaign_key,
        lot_key,
        string_agg(
            concat(landing_sha256, '/', row_number), ' ' order by landing_sha256, row_number
        ) as evidence,
        min(started_date) as started_date,
        max(ended_date) as ended_date,
        bool_or(stream_code = 'FEED') as is_fed,
        bool_or(stream_code = 'PRODUCT') as is_product,
        bool_or(stream_code <> 'FEED') as is_made,
        sum(copper_g) filter (where stream_code = 'FEED') as fed_g,
        is_synthetic
    from {{ ref('int_lot__batch_lines') }}
    group by campaign_key, lot_key, is_synthetic
),

by_campaign as (
    select
        campaign_key,
        string_agg(evidence, ' ' order by evidence) as evidence,
        is_synthetic
    from lines
    group by campaign_key, is_synthetic
),

by_lot as (
    select
        lot_key,
        string_agg(evidence, ' ' order by evidence) as evidence,
        max(ended_date) as ended_date,
        bool_or(is_made) as is_made,
        min(started_date) filter (where is_made) as made_from_date,
        is_synthetic
    from lines
    group by lot_key, is_synthetic
),

broken as (
    select
        'MASS_BALANCE_BREAK' as finding_code,
        lines.lot_key,
        balances.campaign_key,
        'COPPER' as measure_code,
        balances.ended_date as finding_date,
        balances.fed_line_g as in_g,
        balances.product_g + balances.tailings_g as out_g,
        by_campaign.evidence,
        balances.is_synthetic
    from {{ ref('int_lot__balances') }} as balances
    inner join lines
        on balances.campaign_key = lines.campaign_key and balances.is_synthetic = lines.is_synthetic
    inner join by_campaign
        on balances.campaign_key = by_campaign.campaign_key and balances.is_synthetic = by_campaign.is_synthetic
    where balances.is_out_of_balance and (lines.is_product or (balances.product_g = 0 and lines.is_made))
),

overdrawn as (
    select
        'NEGATIVE_STOCK' as finding_code,
        books.lot_key,
        cast(null as varchar) as campaign_key,
        'COPPER' as measure_code,
        by_lot.ended_date as finding_date,
        books.made_copper_g as in_g,
        books.fed_copper_g as out_g,
        by_lot.evidence,
        books.is_synthetic
    from {{ ref('int_lot__books') }} as books
    inner join by_lot
        on books.lot_key = by_lot.lot_key and books.is_synthetic = by_lot.is_synthetic
    where books.fed_copper_g > books.made_copper_g * (1 + {{ lot_rule('LOT_TOLERANCE_FRAC') }})
    union all
    select
        'NEGATIVE_STOCK' as finding_code,
        books.lot_key,
        cast(null as varchar) as campaign_key,
        'DRY_MASS' as measure_code,
        by_lot.ended_date as finding_date,
        coalesce(books.made_mass_g, books.sold_mass_g) as in_g,
        books.fed_mass_g as out_g,
        by_lot.evidence,
        books.is_synthetic
    from {{ ref('int_lot__books') }} as books
    inner join by_lot
        on books.lot_key = by_lot.lot_key and books.is_synthetic = by_lot.is_synthetic
    where books.fed_mass_g > coalesce(books.made_mass_g, books.sold_mass_g) * (1 + {{ lot_rule('LOT_TOLERANCE_FRAC') }})
),

too_early as (
    select
        'PRODUCT_BEFORE_FEED' as finding_code,
        lines.lot_key,
        lines.campaign_key,
        'COPPER' as measure_code,
        lines.ended_date as finding_date,
        cast(0 as bigint) as in_g,
        lines.fed_g as out_g,
        by_lot.evidence,
        lines.is_synthetic
    from lines
    inner join by_lot
        on lines.lot_key = by_lot.lot_key and lines.is_synthetic = by_lot.is_synthetic
    where lines.is_fed and lines.ended_date < by_lot.made_from_date
),

circles as (
    select
        'CYCLE' as finding_code,
        parts.lot_key,
        cast(null as varchar) as campaign_key,
        'COPPER' as measure_code,
        by_lot.ended_date as finding_date,
        cast(0 as bigint) as in_g,
        parts.not_followed_g as out_g,
        by_lot.evidence,
        parts.is_synthetic
    from {{ ref('int_lot__genealogy') }} as parts
    inner join by_lot
        on parts.lot_key = by_lot.lot_key and parts.is_synthetic = by_lot.is_synthetic
    where parts.not_followed_g > 0
),

too_rich as (
    select
        'COPPER_EXCEEDS_MASS' as finding_code,
        ledger.lot_key,
        cast(null as varchar) as campaign_key,
        'COPPER' as measure_code,
        by_lot.ended_date as finding_date,
        ledger.mass_g as in_g,
        ledger.copper_g as out_g,
        by_lot.evidence,
        ledger.is_synthetic
    from {{ ref('int_lot__ledger') }} as ledger
    inner join by_lot
        on ledger.lot_key = by_lot.lot_key and ledger.is_synthetic = by_lot.is_synthetic
    where ledger.copper_g > ledger.mass_g
),

findings as (
    select * from broken
    union all
    select * from overdrawn
    union all
    select * from too_early
    union all
    select * from circles
    union all
    select * from too_rich
)

select
    finding_code,
    lot_key,
    campaign_key,
    measure_code,
    finding_date,
    cast(in_g as bigint) as in_g,
    cast(out_g as bigint) as out_g,
    cast(out_g - in_g as bigint) as amount_g,
    evidence,
    is_synthetic
from findings
