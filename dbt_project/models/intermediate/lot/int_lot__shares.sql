-- Over which origin lots an amount on a lot is shared, by their copper in it. LOT: the lot's own genealogy. FEED: of a
-- campaign's tailings, on which its milling is booked, the genealogy of all ore that was fed; tailings alone would
-- charge the loads that gave up the least. The largest share, on ties the first by its code, takes what whole cents
-- leave over.
with feed as (
    select distinct
        edges.to_lot_key as lot_key,
        edges.from_lot_key,
        edges.is_synthetic
    from {{ ref('int_lot__edges') }} as edges
    inner join {{ ref('dim_lot') }} as tailings
        on
            edges.to_lot_key = tailings.lot_key
            and edges.is_synthetic = tailings.is_synthetic
            and tailings.lot_kind_code = 'TAILINGS'
),

shares as (
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
        feed.lot_key,
        'FEED' as basis_code,
        genealogy.origin_lot_key,
        sum(genealogy.copper_g) as copper_g,
        feed.is_synthetic
    from feed
    inner join {{ ref('int_lot__genealogy') }} as genealogy
        on feed.from_lot_key = genealogy.lot_key and feed.is_synthetic = genealogy.is_synthetic
    where genealogy.copper_g > 0
    group by feed.lot_key, genealogy.origin_lot_key, feed.is_synthetic
)

select
    lot_key,
    basis_code,
    origin_lot_key,
    cast(copper_g as bigint) as copper_g,
    cast(sum(copper_g) over (partition by lot_key, basis_code, is_synthetic) as bigint) as lot_copper_g,
    count(*) over (partition by lot_key, basis_code, is_synthetic) as origin_count,
    row_number() over (
        partition by lot_key, basis_code, is_synthetic order by copper_g desc, origin_lot_key asc
    ) = 1 as is_largest,
    is_synthetic
from shares
