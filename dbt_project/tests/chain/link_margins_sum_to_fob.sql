-- What one link pays another receives: the gross margins of a lot's links sum to its FOB, observed and imputed.
with links as (
    select
        lot_key,
        sum(gross_margin_usd) as gross_margin_usd,
        is_synthetic
    from {{ ref('fct_lot_link_margin') }}
    group by lot_key, is_synthetic
)

select
    coalesce(links.lot_key, bridge.lot_key) as lot_key,
    links.gross_margin_usd,
    bridge.fob_usd,
    bridge.fob_imputed_usd
from links
full join {{ ref('fct_lot_value_bridge') }} as bridge
    on links.lot_key = bridge.lot_key and links.is_synthetic = bridge.is_synthetic
where
    bridge.lot_key is null
    or coalesce(links.gross_margin_usd, 0) <> bridge.fob_usd + bridge.fob_imputed_usd
