-- A lot's shares are its copper to the gram, each origin is counted, and one of them, the largest, takes what whole
-- cents leave over: so no transfer and no export of a lot loses or makes a cent.
select
    lot_key,
    basis_code,
    is_synthetic,
    sum(copper_g) as copper_g,
    max(lot_copper_g) as lot_copper_g
from {{ ref('int_lot__shares') }}
group by lot_key, basis_code, is_synthetic
having
    sum(copper_g) <> max(lot_copper_g)
    or min(lot_copper_g) <> max(lot_copper_g)
    or count(*) <> max(origin_count)
    or sum(case when is_largest then 1 else 0 end) <> 1
