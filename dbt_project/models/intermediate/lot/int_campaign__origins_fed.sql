-- What each campaign was fed, by the origin lots of its ore, in whole grams: of what each lot gave, its genealogy's
-- shares, whose largest has what the cuts leave over. lot_key is the lot by which the campaign goes.
with fed as (
    select
        fed.campaign_key,
        campaigns.campaign_lot_key,
        fed.lot_key,
        fed.copper_g,
        fed.is_synthetic
    from {{ ref('int_lot__fed') }} as fed
    inner join {{ ref('int_lot__balances') }} as campaigns
        on fed.campaign_key = campaigns.campaign_key and fed.is_synthetic = campaigns.is_synthetic
    where fed.copper_g > 0 and not campaigns.is_heap
),

shares as (
    select
        lot_key,
        origin_lot_key,
        copper_g,
        sum(copper_g) over lot as lot_copper_g,
        row_number() over (
            partition by lot_key, is_synthetic order by copper_g desc, origin_lot_key asc
        ) = 1 as is_largest,
        is_synthetic
    from {{ ref('int_lot__genealogy') }}
    where copper_g > 0
    window lot as (partition by lot_key, is_synthetic)
),

parts as (
    select
        fed.campaign_key,
        fed.campaign_lot_key,
        fed.lot_key,
        shares.origin_lot_key,
        shares.is_largest,
        fed.copper_g as fed_g,
        {{ whole_part('fed.copper_g', 'shares.copper_g', 'shares.lot_copper_g') }} as part_g,
        fed.is_synthetic
    from fed
    inner join shares
        on fed.lot_key = shares.lot_key and fed.is_synthetic = shares.is_synthetic
),

exact as (
    select
        *,
        part_g
        + case
            when is_largest then fed_g - sum(part_g) over (partition by campaign_key, lot_key, is_synthetic) else 0
        end as copper_g
    from parts
)

select
    campaign_lot_key as lot_key,
    origin_lot_key,
    cast(sum(copper_g) as bigint) as copper_g,
    is_synthetic
from exact
group by campaign_lot_key, origin_lot_key, is_synthetic
having sum(copper_g) > 0
