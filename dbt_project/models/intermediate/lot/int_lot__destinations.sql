-- Where every origin lot's copper went: one row per origin lot and lot in which some of it ended or still is, in whole
-- grams that add up to the origin's own. EXPORTED, TAILINGS, UNACCOUNTED; IN_STOCK, what of a lot was not fed to
-- anything (as far as papers tell it still lies there); NOT_FOLLOWED, without a lot, what went into lots that feed one
-- another.
with given as (
    select
        from_lot_key as lot_key,
        sum(copper_g) as copper_g,
        is_synthetic
    from {{ ref('int_lot__edges') }}
    group by from_lot_key, is_synthetic
),

kept as (
    select
        ledger.lot_key,
        ledger.copper_g,
        ledger.copper_g - coalesce(given.copper_g, 0) as kept_g,
        case
            when ledger.lot_kind_code in ('TAILINGS', 'UNACCOUNTED') then ledger.lot_kind_code
            when books.is_exported then 'EXPORTED'
            else 'IN_STOCK'
        end as destination_code,
        ledger.is_synthetic
    from {{ ref('int_lot__ledger') }} as ledger
    left join {{ ref('int_lot__books') }} as books
        on ledger.lot_key = books.lot_key and ledger.is_synthetic = books.is_synthetic
    left join given
        on ledger.lot_key = given.lot_key and ledger.is_synthetic = given.is_synthetic
    where ledger.copper_g > coalesce(given.copper_g, 0)
),

reached as (
    select
        parts.origin_lot_key,
        parts.lot_key,
        kept.destination_code,
        {{ whole_part('kept.kept_g', 'parts.copper_g', 'kept.copper_g') }} as cut_g,
        parts.is_synthetic
    from {{ ref('int_lot__genealogy') }} as parts
    inner join kept
        on parts.lot_key = kept.lot_key and parts.is_synthetic = kept.is_synthetic
),

origins as (
    select
        lot_key as origin_lot_key,
        copper_g,
        is_synthetic
    from {{ ref('int_lot__genealogy') }}
    where lot_key = origin_lot_key
),

through_circles as (
    select distinct
        parts.origin_lot_key,
        parts.is_synthetic
    from {{ ref('int_lot__genealogy') }} as parts
    inner join {{ ref('int_lot__genealogy') }} as circles
        on parts.lot_key = circles.lot_key and parts.is_synthetic = circles.is_synthetic
    where circles.not_followed_g > 0
),

sums as (
    select
        origin_lot_key,
        sum(cut_g) as cut_g,
        is_synthetic
    from reached
    group by origin_lot_key, is_synthetic
),

left_over as (
    select
        origins.origin_lot_key,
        origins.copper_g - coalesce(sums.cut_g, 0) as left_g,
        through_circles.origin_lot_key is not null and origins.copper_g > coalesce(sums.cut_g, 0) as is_not_followed,
        origins.is_synthetic
    from origins
    left join sums
        on origins.origin_lot_key = sums.origin_lot_key and origins.is_synthetic = sums.is_synthetic
    left join through_circles
        on
            origins.origin_lot_key = through_circles.origin_lot_key
            and origins.is_synthetic = through_circles.is_synthetic
),

-- What whole grams leave over goes to the largest part that was not exported, if there is one: of an exported lot that
-- nothing was fed of, the origins' grams are those of its genealogy.
completed as (
    select
        reached.origin_lot_key,
        reached.lot_key,
        reached.destination_code,
        reached.cut_g + case
            when left_over.is_not_followed then 0
            when row_number() over (
                partition by reached.origin_lot_key, reached.is_synthetic
                order by reached.destination_code = 'EXPORTED', reached.cut_g desc, reached.lot_key asc
            ) = 1 then left_over.left_g
            else 0
        end as copper_g,
        reached.is_synthetic
    from reached
    inner join left_over
        on reached.origin_lot_key = left_over.origin_lot_key and reached.is_synthetic = left_over.is_synthetic
)

select
    origin_lot_key,
    lot_key,
    destination_code,
    cast(copper_g as bigint) as copper_g,
    is_synthetic
from completed
where copper_g > 0

union all

select
    origin_lot_key,
    cast(null as varchar) as lot_key,
    'NOT_FOLLOWED' as destination_code,
    cast(left_g as bigint) as copper_g,
    is_synthetic
from left_over
where is_not_followed
