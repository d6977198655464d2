{{ config(schema='marts', materialized='table') }}
select l.lot_key, l.lot_kind_code, b.product_form_code, l.first_date, b.mass_wmt, cast(l.mass_g * 0.000001 as decimal(18,6)) as mass_dmt,
 cast(100.0*l.copper_g/nullif(l.mass_g,0) as decimal(8,4)) as cu_pct, l.copper_g, b.operator_key, b.reinfo_key, b.mining_right_id_ingemmet, b.origin_ubigeo_code, substr(b.origin_ubigeo_code,1,2) as department_code, l.plant_key,
 e.to_lot_key is null as is_origin, coalesce(b.is_exported,false) as is_exported, l.is_synthetic
from {{ ref('int_lot__ledger') }} l left join {{ ref('int_lot__books') }} b on l.lot_key=b.lot_key and l.is_synthetic=b.is_synthetic
left join (select distinct to_lot_key, is_synthetic from {{ ref('int_lot__edges') }}) e on e.to_lot_key=l.lot_key and e.is_synthetic=l.is_synthetic
