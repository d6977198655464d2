{{ config(pre_hook="{{ follow_lots(ref('int_lot__ledger'), ref('int_lot__edges')) }}") }}
-- Of which origin lots every lot is made, in whole grams of copper that add up to the lot's. An origin lot is made of
-- itself; so is, in part, a lot whose feed is not followed because the papers go in circles (mart_lot_finding).
-- depends_on: {{ ref('int_lot__ledger') }}, {{ ref('int_lot__edges') }}
select
    lots.lot_key,
    origins.lot_key as origin_lot_key,
    parts.copper_g,
    parts.share_frac,
    lots.is_synthetic
from lot_parts as parts
inner join lot_nodes as lots on parts.node = lots.node
inner join lot_nodes as origins on parts.origin = origins.node
