-- What each operator's hauls add to the published copper on waybills, by month and department: copper contained in the
-- ore with its bounds. The buyer is the plant that took it. All whose operator no paper tells are one holding: they may
-- be one operator's. Parties' keys: nothing of this is published.
select
    coalesce(hauls.department_code, '--') as ubigeo_code,
    cast(date_trunc('month', hauls.haul_date) as date) as month,
    coalesce(lots.operator_key, '--') as holding_key,
    lots.plant_key as buyer_key,
    cast(sum(hauls.contained_low_t) as decimal(18, 3)) as copper_low_t,
    cast(sum(hauls.contained_t) as decimal(18, 3)) as copper_t,
    cast(sum(hauls.contained_high_t) as decimal(18, 3)) as copper_high_t,
    cast(sum(hauls.mass_wmt) as decimal(18, 3)) as mass_wmt,
    hauls.is_synthetic
from {{ ref('int_copper__hauls_assayed') }} as hauls
left join {{ ref('dim_lot') }} as lots
    on hauls.lot_key = lots.lot_key and hauls.is_synthetic = lots.is_synthetic
where hauls.source_code = 'WAYBILL' and hauls.contained_t is not null
group by
    coalesce(hauls.department_code, '--'), date_trunc('month', hauls.haul_date),
    coalesce(lots.operator_key, '--'), lots.plant_key, hauls.is_synthetic
