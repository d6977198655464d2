-- What a lot takes in a campaign whose feed and products are both told is all the copper that its lines there tell.
with taken as (
    select
        campaign_key,
        to_lot_key as lot_key,
        sum(copper_g) as copper_g,
        is_synthetic
    from {{ ref('int_lot__edges') }}
    group by campaign_key, to_lot_key, is_synthetic
),

made as (
    select
        campaign_key,
        lot_key,
        sum(copper_g) as copper_g,
        is_synthetic
    from {{ ref('int_lot__batch_lines') }}
    where stream_code <> 'FEED'
    group by campaign_key, lot_key, is_synthetic
)

select
    made.campaign_key,
    made.lot_key,
    made.copper_g,
    taken.copper_g as taken_g,
    made.is_synthetic
from made
inner join {{ ref('int_lot__balances') }} as balances
    on made.campaign_key = balances.campaign_key and made.is_synthetic = balances.is_synthetic
left join taken
    on
        made.campaign_key = taken.campaign_key
        and made.lot_key = taken.lot_key
        and made.is_synthetic = taken.is_synthetic
where balances.is_whole and coalesce(taken.copper_g, 0) <> made.copper_g
