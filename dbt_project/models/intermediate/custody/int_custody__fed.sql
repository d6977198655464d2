-- The loads that went into every exported lot, and their copper in it, in whole grams: the ledger followed back until
-- a load is reached. What a plant kept in stock and fed later is followed on through the stock; after eight such steps,
-- and where nothing is told of what went in, the last lot reached stands for the rest.
with parents as (
    select
        to_lot_key,
        from_lot_key,
        sum(copper_g) as copper_g,
        is_synthetic
    from {{ ref('int_lot__edges') }}
    where copper_g > 0
    group by to_lot_key, from_lot_key, is_synthetic
),

loads as (
    select
        lot_key,
        is_synthetic
    from {{ ref('dim_lot') }}
    where lot_kind_code = 'LOAD'
),

step_0 as (
    select
        lot_key,
        lot_key as at_key,
        sum(copper_g) as copper_g,
        false as is_load,
        is_synthetic
    from {{ ref('int_custody__batches') }}
    where scope_code = 'EXPORT'
    group by lot_key, is_synthetic
),

{{ followed_to_loads('parents', 'loads', 8) }}

select
    lot_key,
    at_key as load_key,
    cast(sum(copper_g) as bigint) as copper_g,
    is_synthetic
from followed
group by lot_key, at_key, is_synthetic
