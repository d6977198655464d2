-- A value lies within its bounds, and what is observed whole has none to either side.
select
    lot_key,
    link_code as part,
    gross_margin_low_usd as low_usd,
    gross_margin_usd as value_usd,
    gross_margin_high_usd as high_usd
from {{ ref('fct_lot_link_margin') }}
where not gross_margin_usd between gross_margin_low_usd and gross_margin_high_usd

union all

select
    lot_key,
    'FOB' as part,
    fob_low_usd as low_usd,
    fob_usd + fob_imputed_usd as value_usd,
    fob_high_usd as high_usd
from {{ ref('fct_lot_value_bridge') }}
where not fob_usd + fob_imputed_usd between fob_low_usd and fob_high_usd
