{{ config(schema='intermediate', materialized='table') }}
with o as (select lot_key, lot_key origin_lot_key, copper_g, is_synthetic from {{ ref('dim_lot') }} where is_origin and copper_g>0),
{% set prev = 'o' %}
{% for lvl in [1,2,3] %}
c{{lvl}} as (select e.to_lot_key lot_key, g.origin_lot_key, sum(e.copper_g::double*g.copper_g/gt.tot) x, e.is_synthetic from {{ ref('int_lot__edges') }} e join (select *, sum(copper_g) over (partition by lot_key,is_synthetic) tot from {{ 'o' if lvl==1 else 'g' ~ (lvl-1) }}) gt on gt.lot_key=e.from_lot_key and gt.is_synthetic=e.is_synthetic join {{ 'o' if lvl==1 else 'g' ~ (lvl-1) }} g on g.lot_key=gt.lot_key and g.origin_lot_key=gt.origin_lot_key and g.is_synthetic=gt.is_synthetic group by all),
d{{lvl}} as (select c.*, floor(x) a, row_number() over (partition by c.lot_key,c.is_synthetic order by x desc, origin_lot_key) rk, t.tot from c{{lvl}} c join (select to_lot_key, is_synthetic, sum(copper_g) tot from {{ ref('int_lot__edges') }} group by all) t on t.to_lot_key=c.lot_key and t.is_synthetic=c.is_synthetic),
g{{lvl}} as (select * from o union all select lot_key, origin_lot_key, cast(case when rk=1 then tot-(sum(a) over (partition by lot_key,is_synthetic)-a) else a end as bigint) copper_g, is_synthetic from d{{lvl}}),
{% endfor %}
z as (select 1)
select lot_key, origin_lot_key, copper_g, copper_g/sum(copper_g) over (partition by lot_key,is_synthetic) share_frac, is_synthetic from g3
