-- The papers under which every load went to its plant: the registration that they show, the producer that they name and
-- the day on which the standing counts, that of the waybill (of the weighing where no waybill is known).
with arrivals as (
    select
        arrivals.lot_key,
        arrivals.receiver_key,
        arrivals.haul_key,
        arrivals.arrived_date,
        arrivals.operator_key,
        arrivals.reinfo_key,
        row_number() over (
            partition by arrivals.lot_key, arrivals.is_synthetic
            order by
                case when arrivals.receiver_key = lots.plant_key then 1 else 2 end,
                arrivals.arrived_date, arrivals.receiver_key
        ) as nth,
        arrivals.is_synthetic
    from {{ ref('int_lot__arrivals') }} as arrivals
    inner join {{ ref('dim_lot') }} as lots
        on arrivals.lot_key = lots.lot_key and arrivals.is_synthetic = lots.is_synthetic
    where lots.lot_kind_code = 'LOAD'
)

select
    lots.lot_key as load_key,
    arrivals.receiver_key as plant_key,
    waybills.document_key,
    coalesce(waybills.transfer_start_date, waybills.issue_date, arrivals.arrived_date) as custody_date,
    coalesce(arrivals.operator_key, lots.operator_key) as operator_key,
    coalesce(arrivals.reinfo_key, lots.reinfo_key) as paper_registration_key,
    lots.copper_g,
    lots.is_synthetic
from {{ ref('dim_lot') }} as lots
left join arrivals
    on lots.lot_key = arrivals.lot_key and lots.is_synthetic = arrivals.is_synthetic and arrivals.nth = 1
left join {{ ref('int_document__classified') }} as waybills
    on
        arrivals.haul_key = waybills.document_key
        and arrivals.is_synthetic = waybills.is_synthetic
        and waybills.part_code = 'WAYBILL'
where lots.lot_kind_code = 'LOAD'
