-- Sales of a collector's heap to another collector: one row per lot and buyer. Who delivers a heap's lot to a plant, or
-- mixes it into a heap of his own, had it last. Where vouchers show only a part of its way from who mixed it to him,
-- the first and the last sale join that part to them; where none shows, he bought it from who mixed it.
with heap_lines as (
    select
        line_kind_code,
        lot_key,
        min(plant_key) as collector_key,
        max(ended_date) as ended_date,
        cast(sum(mass_g) * 0.000001 as decimal(18, 6)) as mass_dmt,
        sum(copper_g) as copper_g,
        is_synthetic
    from {{ ref('int_lot__batch_lines') }}
    where is_heap
    group by line_kind_code, lot_key, is_synthetic
),

delivered as (
    select *
    from (
        select
            arrivals.*,
            row_number() over (
                partition by arrivals.lot_key, arrivals.is_synthetic
                order by arrivals.arrived_date desc, arrivals.receiver_key asc
            ) as choice
        from {{ ref('int_lot__arrivals') }} as arrivals
        inner join {{ ref('int_party__roles') }} as plants
            on
                arrivals.receiver_key = plants.party_key
                and arrivals.is_synthetic = plants.is_synthetic
                and plants.role_code = 'PLANT'
        where arrivals.lot_kind_code = 'LOAD' and arrivals.source_code = 'TICKET'
    ) as ranked
    where choice = 1
),

heaps as (
    select
        made.lot_key,
        made.collector_key as maker_key,
        coalesce(delivered.supplier_key, fed.collector_key) as holder_key,
        delivered.operator_key,
        delivered.reinfo_key,
        delivered.product_form_code,
        delivered.mass_wmt,
        made.ended_date,
        made.mass_dmt,
        made.copper_g,
        made.is_synthetic
    from heap_lines as made
    left join delivered on made.lot_key = delivered.lot_key and made.is_synthetic = delivered.is_synthetic
    left join heap_lines as fed
        on
            made.lot_key = fed.lot_key
            and made.is_synthetic = fed.is_synthetic
            and fed.line_kind_code = 'ALIMENTACION'
    where made.line_kind_code = 'PRODUCTO'
),

vouched as (
    select distinct
        keyed.lot_key,
        documents.seller_key,
        documents.buyer_key,
        documents.is_synthetic
    from {{ ref('int_document__keyed') }} as keyed
    inner join {{ ref('int_document__classified') }} as documents
        on keyed.document_key = documents.document_key and keyed.is_synthetic = documents.is_synthetic
    where
        documents.kind_code = 'ORE_BETWEEN_COLLECTORS' and documents.part_code = 'SALE' and keyed.lot_key is not null
),

-- Who sold it and, by the vouchers, bought it from nobody; who bought it and sold it to nobody.
loose as (
    select
        vouched.lot_key,
        min(case when bought.lot_key is null then vouched.seller_key end) as first_seller_key,
        min(case when sold.lot_key is null then vouched.buyer_key end) as last_buyer_key,
        vouched.is_synthetic
    from vouched
    left join vouched as bought
        on
            vouched.lot_key = bought.lot_key
            and vouched.seller_key = bought.buyer_key
            and vouched.is_synthetic = bought.is_synthetic
    left join vouched as sold
        on
            vouched.lot_key = sold.lot_key
            and vouched.buyer_key = sold.seller_key
            and vouched.is_synthetic = sold.is_synthetic
    group by vouched.lot_key, vouched.is_synthetic
),

legs as (
    select * from vouched

    union

    select
        heaps.lot_key,
        heaps.maker_key as seller_key,
        coalesce(loose.first_seller_key, heaps.holder_key) as buyer_key,
        heaps.is_synthetic
    from heaps
    left join loose on heaps.lot_key = loose.lot_key and heaps.is_synthetic = loose.is_synthetic
    where loose.lot_key is null or loose.first_seller_key <> heaps.maker_key

    union

    select
        heaps.lot_key,
        loose.last_buyer_key as seller_key,
        heaps.holder_key as buyer_key,
        heaps.is_synthetic
    from heaps
    inner join loose on heaps.lot_key = loose.lot_key and heaps.is_synthetic = loose.is_synthetic
    where loose.last_buyer_key <> heaps.holder_key and heaps.holder_key <> heaps.maker_key
)

select
    legs.lot_key,
    legs.seller_key,
    legs.buyer_key,
    heaps.operator_key,
    heaps.reinfo_key,
    heaps.product_form_code,
    heaps.mass_wmt,
    heaps.ended_date,
    heaps.mass_dmt,
    heaps.copper_g,
    legs.is_synthetic
from legs
inner join heaps on legs.lot_key = heaps.lot_key and legs.is_synthetic = heaps.is_synthetic
where legs.seller_key <> legs.buyer_key
