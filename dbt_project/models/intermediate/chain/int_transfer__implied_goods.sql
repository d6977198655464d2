-- Sales of goods that partners' papers imply: one row per kind and lot (and buyer between collectors). A load weighed
-- in at a plant was bought, unless it was milled for its owner or its waybill gives another reason than a sale (SUNAT
-- catalogue 20); a lot at a pit's scale, or in a collector's heap, was bought there; a heap that another collector
-- delivers or mixes into his own was sold to him; a product is sold and exported. A lot weighed on several scales was
-- sold at one: its buyer's, as a sheet, a voucher or a campaign tells, else the last; the others only weighed it.
-- match_ columns are what the first voucher should say.
with batches as (
    select
        lines.plant_key,
        lines.campaign_id,
        lines.contract_kind_code,
        lines.line_kind_code,
        lines.owner_key,
        lines.ended_date,
        codes.lot_key,
        codes.lot_kind_code,
        lines.mass_dmt,
        lines.cu_pct,
        cast(lines.copper_kg * 1000 as bigint) as copper_g,
        lines.is_synthetic
    from {{ ref('stg_partner_campaigns__lines') }} as lines
    inner join {{ ref('int_lot__codes') }} as codes
        on
            lines.plant_key = codes.party_key
            and lines.lot_id = codes.lot_id
            and lines.is_synthetic = codes.is_synthetic
    where lines.is_current and lines.line_kind_code in ('ALIMENTACION', 'PRODUCTO')
),

heap_lines as (
    select
        line_kind_code,
        lot_key,
        is_synthetic,
        min(plant_key) as collector_key,
        max(ended_date) as ended_date,
        sum(mass_dmt) as mass_dmt,
        sum(copper_g) as copper_g
    from batches
    where contract_kind_code = 'MEZCLA'
    group by line_kind_code, lot_key, is_synthetic
),

tolled as (
    select distinct
        lot_key,
        is_synthetic
    from batches
    where contract_kind_code = 'MAQUILA' and line_kind_code = 'ALIMENTACION'
),

arrivals as (
    select
        arrivals.*,
        plants.party_key is not null as is_at_plant
    from {{ ref('int_lot__arrivals') }} as arrivals
    left join {{ ref('int_party__roles') }} as plants
        on
            arrivals.receiver_key = plants.party_key
            and arrivals.is_synthetic = plants.is_synthetic
            and plants.role_code = 'PLANT'
),

loads as (
    select * from arrivals
    where lot_kind_code = 'LOAD' and is_at_plant
),

buyers as (
    select distinct
        documents.kind_code,
        keyed.lot_key,
        documents.buyer_key,
        documents.is_synthetic
    from {{ ref('int_document__keyed') }} as keyed
    inner join {{ ref('int_document__classified') }} as documents
        on keyed.document_key = documents.document_key and keyed.is_synthetic = documents.is_synthetic
    where documents.part_code = 'SALE' and keyed.lot_key is not null
),

made as (
    select
        lot_key,
        is_synthetic,
        min(plant_key) as plant_key,
        min(owner_key) as owner_key,
        max(ended_date) as ended_date,
        sum(mass_dmt) as mass_dmt,
        sum(copper_g) as copper_g
    from batches
    where contract_kind_code <> 'MEZCLA' and line_kind_code = 'PRODUCTO'
    group by lot_key, is_synthetic
),

sheets as (
    select * from {{ ref('int_settlement__sales') }}
),

exported as (
    select * from {{ ref('int_export__lots') }}
),

product_sheets as (
    select *
    from (
        select
            *,
            row_number() over (
                partition by lot_key, is_synthetic order by settlement_date desc, settlement_id asc
            ) as choice
        from sheets
        where lot_kind_code = 'PRODUCT'
    ) as ranked_sheets
    where choice = 1
),

-- A plant weighs its product when it leaves; whoever weighs it in has it.
ports as (
    select *
    from (
        select
            arrivals.*,
            row_number() over (
                partition by arrivals.lot_key, arrivals.is_synthetic
                order by
                    case
                        when arrivals.receiver_key in (product_sheets.buyer_key, exported.exporter_key) then 1
                        else 2
                    end,
                    arrivals.arrived_date desc,
                    arrivals.receiver_key asc
            ) as choice
        from arrivals
        left join made on arrivals.lot_key = made.lot_key and arrivals.is_synthetic = made.is_synthetic
        left join exported
            on arrivals.lot_key = exported.lot_key and arrivals.is_synthetic = exported.is_synthetic
        left join product_sheets
            on
                arrivals.lot_key = product_sheets.lot_key
                and arrivals.is_synthetic = product_sheets.is_synthetic
        where
            arrivals.lot_kind_code = 'PRODUCT'
            and arrivals.receiver_key not in (coalesce(made.plant_key, '-'), coalesce(made.owner_key, '-'))
    ) as weighed_in
    where choice = 1
),

products as (
    select
        lot_key,
        is_synthetic
    from made
    union
    select
        lot_key,
        is_synthetic
    from ports
    union
    select
        lot_key,
        is_synthetic
    from exported
    union
    select
        lot_key,
        is_synthetic
    from sheets
    where lot_kind_code = 'PRODUCT'
),

ore_sheets as (
    select * from sheets
    where lot_kind_code = 'LOAD'
),

fed as (
    select
        lot_key,
        is_synthetic,
        sum(mass_dmt) as mass_dmt,
        max(cu_pct) as cu_pct,
        sum(copper_g) as copper_g
    from batches
    where contract_kind_code = 'COMPRA' and line_kind_code = 'ALIMENTACION'
    group by lot_key, is_synthetic
),

-- What a heap itself made was bought from its maker, not at the pit.
mixed as (
    select heap_lines.*
    from heap_lines
    left join heap_lines as heaps
        on
            heap_lines.lot_key = heaps.lot_key
            and heap_lines.is_synthetic = heaps.is_synthetic
            and heaps.line_kind_code = 'PRODUCTO'
    where heap_lines.line_kind_code = 'ALIMENTACION' and heaps.lot_key is null
),

pits as (
    select *
    from (
        select
            arrivals.*,
            row_number() over (
                partition by arrivals.lot_key, arrivals.is_synthetic
                order by
                    case when buyers.lot_key is not null then 1 when mixed.lot_key is not null then 2 else 3 end,
                    arrivals.arrived_date desc,
                    arrivals.receiver_key asc
            ) as choice
        from arrivals
        left join buyers
            on
                arrivals.lot_key = buyers.lot_key
                and arrivals.receiver_key = buyers.buyer_key
                and arrivals.is_synthetic = buyers.is_synthetic
                and buyers.kind_code = 'ORE_AT_PIT'
        left join mixed
            on
                arrivals.lot_key = mixed.lot_key
                and arrivals.receiver_key = mixed.collector_key
                and arrivals.is_synthetic = mixed.is_synthetic
        where arrivals.lot_kind_code = 'PIT'
    ) as weighed_at_pit
    where choice = 1
),

bought as (
    select
        coalesce(loads.receiver_key, sheets.buyer_key) as plant_key,
        coalesce(loads.lot_key, sheets.lot_key) as lot_key,
        coalesce(loads.is_synthetic, sheets.is_synthetic) as is_synthetic,
        loads.ticket_id,
        loads.haul_key,
        loads.arrived_date,
        loads.mass_wmt,
        coalesce(sheets.product_form_code, loads.product_form_code) as product_form_code,
        coalesce(sheets.seller_key, loads.supplier_key) as seller_key,
        coalesce(sheets.invoicing_party_key, loads.invoicing_party_key) as invoicing_party_key,
        coalesce(sheets.operator_key, loads.operator_key) as operator_key,
        coalesce(sheets.reinfo_key, loads.reinfo_key) as reinfo_key,
        sheets.settlement_id,
        sheets.stage_code,
        sheets.settlement_date,
        sheets.first_date,
        sheets.settled_wmt,
        sheets.settled_dmt,
        sheets.cu_pct,
        sheets.value_usd,
        sheets.first_voucher_usd,
        loads.source_code,
        loads.transfer_reason_code
    from loads
    full join ore_sheets as sheets
        on
            loads.receiver_key = sheets.buyer_key
            and loads.lot_key = sheets.lot_key
            and loads.is_synthetic = sheets.is_synthetic
),

fed_by as (
    select distinct
        plant_key,
        lot_key,
        is_synthetic
    from batches
    where contract_kind_code = 'COMPRA' and line_kind_code = 'ALIMENTACION'
),

bought_once as (
    select *
    from (
        select
            bought.*,
            row_number() over (
                partition by bought.lot_key, bought.is_synthetic
                order by
                    case
                        when bought.settlement_id is not null then 1
                        when buyers.lot_key is not null then 2
                        when fed_by.lot_key is not null then 3
                        when bought.transfer_reason_code in ('01', '02', '03', '14') then 4
                        when bought.source_code = 'TICKET' then 5
                        else 6
                    end,
                    coalesce(bought.settlement_date, bought.arrived_date) desc,
                    bought.plant_key asc
            ) as choice
        from bought
        left join buyers
            on
                bought.plant_key = buyers.buyer_key
                and bought.lot_key = buyers.lot_key
                and bought.is_synthetic = buyers.is_synthetic
                and buyers.kind_code = 'ORE_AT_PLANT'
        left join fed_by
            on
                bought.plant_key = fed_by.plant_key
                and bought.lot_key = fed_by.lot_key
                and bought.is_synthetic = fed_by.is_synthetic
    ) as ranked_sales
    where choice = 1
)

select
    'ORE_AT_PLANT' as kind_code,
    bought.lot_key,
    bought.seller_key as payee_key,
    bought.plant_key as payer_key,
    bought.invoicing_party_key,
    bought.operator_key,
    bought.reinfo_key,
    coalesce(bought.settlement_date, bought.arrived_date) as expected_date,
    bought.product_form_code,
    coalesce(bought.settled_wmt, bought.mass_wmt) as mass_wmt,
    coalesce(bought.settled_dmt, fed.mass_dmt) as mass_dmt,
    coalesce(bought.cu_pct, fed.cu_pct) as cu_pct,
    case
        when bought.cu_pct is not null then cast(round(bought.settled_dmt * bought.cu_pct * 10000) as bigint)
        else fed.copper_g
    end as copper_g,
    coalesce(bought.first_date, bought.arrived_date) as match_date,
    bought.first_voucher_usd as match_value_usd,
    cast(null as decimal(18, 6)) as match_mass_t,
    bought.stage_code as sheet_code,
    bought.value_usd as sheet_value_usd,
    bought.settlement_id as sheet_id,
    bought.ticket_id,
    bought.haul_key,
    case
        when bought.settlement_id is not null then 'SHEET'
        when bought.source_code = 'WAYBILL' then 'WAYBILL'
        else 'ARRIVAL'
    end as why_code,
    bought.is_synthetic
from bought_once as bought
left join tolled on bought.lot_key = tolled.lot_key and bought.is_synthetic = tolled.is_synthetic
left join fed on bought.lot_key = fed.lot_key and bought.is_synthetic = fed.is_synthetic
where
    bought.settlement_id is not null
    or (tolled.lot_key is null and coalesce(bought.transfer_reason_code, '01') in ('01', '02', '03', '14'))

union all

select
    'ORE_AT_PIT' as kind_code,
    coalesce(pits.lot_key, mixed.lot_key) as lot_key,
    pits.supplier_key as payee_key,
    coalesce(pits.receiver_key, mixed.collector_key) as payer_key,
    pits.invoicing_party_key,
    coalesce(pits.operator_key, pits.supplier_key) as operator_key,
    pits.reinfo_key,
    coalesce(pits.arrived_date, mixed.ended_date) as expected_date,
    pits.product_form_code,
    pits.mass_wmt,
    mixed.mass_dmt,
    cast(mixed.copper_g * 0.0001 / nullif(mixed.mass_dmt, 0) as decimal(8, 4)) as cu_pct,
    mixed.copper_g,
    coalesce(pits.arrived_date, mixed.ended_date) as match_date,
    null as match_value_usd,
    pits.mass_wmt as match_mass_t,
    null as sheet_code,
    null as sheet_value_usd,
    null as sheet_id,
    pits.ticket_id,
    pits.haul_key,
    case when pits.lot_key is not null then 'ARRIVAL' else 'HEAP' end as why_code,
    coalesce(pits.is_synthetic, mixed.is_synthetic) as is_synthetic
from pits
full join mixed
    on pits.lot_key = mixed.lot_key and pits.is_synthetic = mixed.is_synthetic

union all

select
    'ORE_BETWEEN_COLLECTORS' as kind_code,
    lot_key,
    seller_key as payee_key,
    buyer_key as payer_key,
    null as invoicing_party_key,
    operator_key,
    reinfo_key,
    ended_date as expected_date,
    product_form_code,
    mass_wmt,
    mass_dmt,
    cast(copper_g * 0.0001 / nullif(mass_dmt, 0) as decimal(8, 4)) as cu_pct,
    copper_g,
    ended_date as match_date,
    null as match_value_usd,
    mass_dmt as match_mass_t,
    null as sheet_code,
    null as sheet_value_usd,
    null as sheet_id,
    null as ticket_id,
    null as haul_key,
    'HEAP' as why_code,
    is_synthetic
from {{ ref('int_transfer__resales') }}

union all

select
    'CONCENTRATE' as kind_code,
    products.lot_key,
    coalesce(sheets.seller_key, made.owner_key) as payee_key,
    coalesce(sheets.buyer_key, ports.receiver_key, exported.exporter_key) as payer_key,
    sheets.invoicing_party_key,
    null as operator_key,
    null as reinfo_key,
    coalesce(sheets.settlement_date, ports.arrived_date, made.ended_date, exported.shipped_date) as expected_date,
    coalesce(sheets.product_form_code, ports.product_form_code, exported.product_form_code) as product_form_code,
    coalesce(sheets.settled_wmt, ports.mass_wmt, exported.net_wmt) as mass_wmt,
    coalesce(sheets.settled_dmt, made.mass_dmt, exported.net_dmt) as mass_dmt,
    coalesce(
        sheets.cu_pct, cast(made.copper_g * 0.0001 / nullif(made.mass_dmt, 0) as decimal(8, 4)), exported.cu_pct
    ) as cu_pct,
    case
        when sheets.cu_pct is not null then cast(round(sheets.settled_dmt * sheets.cu_pct * 10000) as bigint)
        else coalesce(made.copper_g, exported.copper_g)
    end as copper_g,
    coalesce(sheets.first_date, ports.arrived_date) as match_date,
    sheets.first_voucher_usd as match_value_usd,
    null as match_mass_t,
    sheets.stage_code as sheet_code,
    sheets.value_usd as sheet_value_usd,
    sheets.settlement_id as sheet_id,
    null as ticket_id,
    null as haul_key,
    case
        when sheets.lot_key is not null then 'SHEET'
        when ports.lot_key is not null then 'ARRIVAL'
        when exported.lot_key is not null then 'EXPORT'
        else 'PRODUCT'
    end as why_code,
    products.is_synthetic
from products
left join made on products.lot_key = made.lot_key and products.is_synthetic = made.is_synthetic
left join ports on products.lot_key = ports.lot_key and products.is_synthetic = ports.is_synthetic
left join exported on products.lot_key = exported.lot_key and products.is_synthetic = exported.is_synthetic
left join product_sheets as sheets on products.lot_key = sheets.lot_key and products.is_synthetic = sheets.is_synthetic

union all

select
    'EXPORT' as kind_code,
    products.lot_key,
    coalesce(exported.exporter_key, sheets.buyer_key, ports.receiver_key) as payee_key,
    null as payer_key,
    null as invoicing_party_key,
    null as operator_key,
    null as reinfo_key,
    coalesce(exported.declaration_date, sheets.settlement_date, ports.arrived_date, made.ended_date) as expected_date,
    coalesce(exported.product_form_code, sheets.product_form_code, ports.product_form_code) as product_form_code,
    coalesce(exported.net_wmt, sheets.settled_wmt, ports.mass_wmt) as mass_wmt,
    coalesce(exported.net_dmt, sheets.settled_dmt, made.mass_dmt) as mass_dmt,
    coalesce(
        exported.cu_pct, sheets.cu_pct, cast(made.copper_g * 0.0001 / nullif(made.mass_dmt, 0) as decimal(8, 4))
    ) as cu_pct,
    case
        when exported.copper_g is not null then exported.copper_g
        when sheets.cu_pct is not null then cast(round(sheets.settled_dmt * sheets.cu_pct * 10000) as bigint)
        else made.copper_g
    end as copper_g,
    exported.shipped_date as match_date,
    exported.first_fob_usd as match_value_usd,
    null as match_mass_t,
    exported.version_code as sheet_code,
    exported.fob_usd as sheet_value_usd,
    exported.declaration_id as sheet_id,
    null as ticket_id,
    null as haul_key,
    case when exported.lot_key is not null then 'SHEET' else 'PRODUCT' end as why_code,
    products.is_synthetic
from products
left join made on products.lot_key = made.lot_key and products.is_synthetic = made.is_synthetic
left join ports on products.lot_key = ports.lot_key and products.is_synthetic = ports.is_synthetic
left join exported on products.lot_key = exported.lot_key and products.is_synthetic = exported.is_synthetic
left join product_sheets as sheets on products.lot_key = sheets.lot_key and products.is_synthetic = sheets.is_synthetic
