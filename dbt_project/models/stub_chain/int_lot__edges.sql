{{ config(schema='intermediate', materialized='table') }}
with l as (select b.*, c.lot_key, cast(copper_kg*1000 as bigint) g from {{ ref('stg_partner_campaigns__lines') }} b join {{ ref('int_lot__codes') }} c on b.plant_key=c.party_key and b.lot_id=c.lot_id and b.is_synthetic=c.is_synthetic where b.is_current),
f as (select plant_key, campaign_id, lot_key, is_synthetic, sum(g) g from l where line_kind_code='ALIMENTACION' group by all),
o as (select plant_key, campaign_id, lot_key, is_synthetic, sum(g) g from l where line_kind_code in ('PRODUCTO','RELAVE') group by all),
p as (select f.lot_key from_lot_key, o.lot_key to_lot_key, o.campaign_id, o.g og, f.g fg, sum(f.g) over (partition by o.plant_key,o.campaign_id,o.lot_key,o.is_synthetic) tot, is_synthetic from f join o using (plant_key,campaign_id,is_synthetic)),
q as (select *, cast(cast(og as hugeint)*fg//tot as bigint) a, row_number() over (partition by to_lot_key,campaign_id,is_synthetic order by fg desc, from_lot_key) rk from p)
select from_lot_key,to_lot_key,campaign_id,cast(case when rk=1 then og-(sum(a) over (partition by to_lot_key,campaign_id,is_synthetic)-a) else a end as bigint) copper_g,'CHARGED_COPPER' allocation_method_code,is_synthetic from q
