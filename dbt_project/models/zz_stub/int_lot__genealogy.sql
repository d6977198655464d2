{{ config(schema='intermediate', materialized='table') }}
with recursive e as (select from_lot_key, to_lot_key, sum(copper_g) as copper_g, is_synthetic from {{ ref('int_lot__edges') }} group by all)
, lots as (select lot_key, copper_g, is_synthetic from {{ ref('dim_lot') }})
, up as (select lot_key, lot_key as at_key, cast(1 as double) as share, is_synthetic from lots
 union all select up.lot_key, e.from_lot_key, up.share * e.copper_g / sum(e.copper_g) over (partition by e.to_lot_key, up.lot_key, e.is_synthetic), up.is_synthetic from up join e on e.to_lot_key = up.at_key and e.is_synthetic=up.is_synthetic)
, o as (select lot_key, at_key as origin_lot_key, sum(share) as share, is_synthetic from up where at_key not in (select to_lot_key from e) group by all)
, g as (select o.*, copper_g as total, cast(floor(copper_g*share) as hugeint) as g0, copper_g*share - floor(copper_g*share) as rest from o join lots using (lot_key, is_synthetic))
, r as (select *, total - sum(g0) over (partition by lot_key, is_synthetic) as missing, row_number() over (partition by lot_key, is_synthetic order by rest desc, origin_lot_key) as rn from g)
select lot_key, origin_lot_key, cast(g0 + case when rn <= missing then 1 else 0 end as bigint) as copper_g, share as share_frac, is_synthetic from r
