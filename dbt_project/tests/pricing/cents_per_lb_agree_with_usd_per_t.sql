-- US cents per pound x 22.0462262185 = US$ per tonne.
select month, copper_usd_per_t, copper_usd_cents_per_lb
from {{ ref('pub_copper_price') }}
where abs(cast(copper_usd_cents_per_lb as double) * 22.0462262185 - copper_usd_per_t) > 0.0001
