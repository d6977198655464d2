{{ config(pre_hook="{{ follow_lots(ref('int_lot__ledger'), ref('int_lot__edges')) }}") }}
-- Of which origin lots every lot is made, in whole grams of copper that add up to the lot's. An origin lot is made of
-- itself; so is, in part, a lot whose feed is not all told, or not followed because the papers go in circles:
-- not_followed_g is what came so (on the lot's row of itself, else 0).
-- depends_on: {{ ref('int_lot__ledger') }}, {{ ref('int_lot__edges') }}
with cuts as (
    select
        node,
        sum(copper_g) as copper_g
    from lot_cuts
    group by node
)

select
    lots.lot_key,
    origins.lot_key as origin_lot_key,
    parts.copper_g,
    parts.share_frac,
    cast(coalesce(case when parts.node = parts.origin then cuts.copper_g end, 0) as bigint) as not_followed_g,
    lots.is_synthetic
from lot_parts as parts
inner join lot_nodes as lots on parts.node = lots.node
inner join lot_nodes as origins on parts.origin = origins.node
left join cuts on parts.node = cuts.node
