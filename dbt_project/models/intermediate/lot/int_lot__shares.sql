-- Over which origin lots an amount on a lot is shared, by their copper in it. LOT: the lot's own genealogy. FEED: of
-- the lot by which a campaign goes, on which its milling is booked, all that it was fed; tailings alone would charge
-- the loads that gave up the least. The largest share, on ties the first by its code, takes what whole cents leave
-- over. copper_low_g and copper_high_g are the bounds of a part that is not sure (int_lot__origin_ranges).
with shares as (
    select
        lot_key,
        'LOT' as basis_code,
        origin_lot_key,
        copper_g,
        is_synthetic
    from {{ ref('int_lot__genealogy') }}
    where copper_g > 0

    union all

    select
        lot_key,
        'FEED' as basis_code,
        origin_lot_key,
        copper_g,
        is_synthetic
    from {{ ref('int_campaign__origins_fed') }}
),

-- Lots of which some part is not sure. Products alone count, but are told apart later: of three tables in one join,
-- ranges and lots might be brought together first, by is_synthetic alone, each with each.
unsure_lots as (
    select distinct
        genealogy.lot_key,
        genealogy.is_synthetic
    from {{ ref('int_lot__origin_ranges') }} as ranges
    inner join {{ ref('int_lot__genealogy') }} as genealogy
        on ranges.origin_lot_key = genealogy.origin_lot_key and ranges.is_synthetic = genealogy.is_synthetic
),

unsure_products as (
    select
        unsure_lots.lot_key,
        unsure_lots.is_synthetic
    from unsure_lots
    inner join {{ ref('dim_lot') }} as lots
        on
            unsure_lots.lot_key = lots.lot_key
            and unsure_lots.is_synthetic = lots.is_synthetic
            and lots.lot_kind_code = 'PRODUCT'
),

-- All their parts: what one has less the others have more.
stretched as (
    select
        shares.lot_key,
        shares.origin_lot_key,
        shares.copper_g,
        cast(floor(shares.copper_g * coalesce(ranges.low_factor, 1)) as bigint) as low_g,
        cast(ceil(shares.copper_g * coalesce(ranges.high_factor, 1)) as bigint) as high_g,
        shares.is_synthetic
    from shares
    inner join unsure_products
        on shares.lot_key = unsure_products.lot_key and shares.is_synthetic = unsure_products.is_synthetic
    left join {{ ref('int_lot__origin_ranges') }} as ranges
        on shares.origin_lot_key = ranges.origin_lot_key and shares.is_synthetic = ranges.is_synthetic
    where shares.basis_code = 'LOT'
),

unsure as (
    select
        lot_key,
        'LOT' as basis_code,
        origin_lot_key,
        greatest(low_g, copper_g - sum(high_g - copper_g) over lot + (high_g - copper_g)) as low_g,
        least(high_g, copper_g + sum(copper_g - low_g) over lot - (copper_g - low_g)) as high_g,
        is_synthetic
    from stretched
    window lot as (partition by lot_key, is_synthetic)
)

select
    shares.lot_key,
    shares.basis_code,
    shares.origin_lot_key,
    cast(shares.copper_g as bigint) as copper_g,
    cast(coalesce(unsure.low_g, shares.copper_g) as bigint) as copper_low_g,
    cast(coalesce(unsure.high_g, shares.copper_g) as bigint) as copper_high_g,
    cast(sum(shares.copper_g) over lot as bigint) as lot_copper_g,
    count(*) over lot as origin_count,
    row_number() over (
        partition by shares.lot_key, shares.basis_code, shares.is_synthetic
        order by shares.copper_g desc, shares.origin_lot_key asc
    ) = 1 as is_largest,
    shares.is_synthetic
from shares
left join unsure
    on
        shares.lot_key = unsure.lot_key
        and shares.basis_code = unsure.basis_code
        and shares.origin_lot_key = unsure.origin_lot_key
        and shares.is_synthetic = unsure.is_synthetic
window lot as (partition by shares.lot_key, shares.basis_code, shares.is_synthetic)
