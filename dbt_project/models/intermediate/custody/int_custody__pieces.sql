{{ config(meta={'trace': {'parent': 'stg_sunat_documents__documents', 'on': ['document_key', 'is_synthetic']}}) }}
-- The copper of every batch in pieces: by load that went into it and by lot from which the load's ore came, in whole
-- grams that add up to the batch, each with its class of custody (custody_classes). What no load accounts for is a
-- piece of its own, not traced. document_key is the waybill whose day counts.
with by_load as (
    select
        batches.scope_code,
        batches.batch_key,
        batches.lot_key,
        fed.load_key,
        {{ grams_by_weight(
            'batches.copper_g', 'fed.copper_g', ['batches.batch_key', 'batches.lot_key', 'batches.is_synthetic'],
            ['fed.load_key']
        ) }} as load_copper_g,
        batches.is_synthetic
    from {{ ref('int_custody__batches') }} as batches
    inner join {{ ref('int_custody__fed') }} as fed
        on batches.lot_key = fed.lot_key and batches.is_synthetic = fed.is_synthetic
    where batches.scope_code = 'EXPORT'

    union all

    select
        scope_code,
        batch_key,
        lot_key,
        lot_key as load_key,
        copper_g as load_copper_g,
        is_synthetic
    from {{ ref('int_custody__batches') }}
    where scope_code = 'PLANT_MONTH'
),

by_origin as (
    select
        by_load.scope_code,
        by_load.batch_key,
        by_load.lot_key,
        by_load.load_key,
        by_load.load_copper_g,
        coalesce(standings.copper_g, 1) as weight_g,
        standings.origin_lot_key,
        standings.document_key,
        standings.custody_date,
        standings.producer_key,
        standings.own_registration_key,
        standings.own_state,
        standings.paper_registration_key,
        standings.paper_state,
        coalesce(standings.relation_code, 'NO_PRODUCER') as relation_code,
        coalesce(standings.may_differ, false) as may_differ,
        by_load.is_synthetic
    from by_load
    left join {{ ref('int_custody__standings') }} as standings
        on by_load.load_key = standings.load_key and by_load.is_synthetic = standings.is_synthetic
),

pieces as (
    select
        *,
        {{ grams_by_weight(
            'load_copper_g', 'weight_g', ['scope_code', 'batch_key', 'lot_key', 'load_key', 'is_synthetic'],
            ['origin_lot_key']
        ) }} as copper_g
    from by_origin
),

standings as (
    select
        registry_state,
        case when is_good_standing then 'GOOD' when not is_good_standing then 'NOT_GOOD' else 'UNKNOWN' end
            as standing_code
    from {{ ref('ref_registry_standing') }}
)

select
    pieces.scope_code,
    pieces.batch_key,
    pieces.lot_key,
    pieces.load_key,
    pieces.origin_lot_key,
    pieces.copper_g,
    coalesce(classes.class_code, 'NOT_TRACED') as class_code,
    pieces.relation_code,
    pieces.own_state,
    pieces.paper_state,
    coalesce(own.standing_code, 'UNKNOWN') as own_standing_code,
    coalesce(paper.standing_code, 'UNKNOWN') as paper_standing_code,
    pieces.may_differ,
    pieces.custody_date,
    pieces.document_key,
    pieces.producer_key,
    pieces.own_registration_key,
    pieces.paper_registration_key,
    pieces.is_synthetic
from pieces
left join standings as own on pieces.own_state = own.registry_state
left join standings as paper on pieces.paper_state = paper.registry_state
left join {{ ref('custody_classes') }} as classes
    on
        pieces.relation_code = classes.relation_code
        and coalesce(own.standing_code, 'UNKNOWN') = classes.own_standing_code
        and coalesce(paper.standing_code, 'UNKNOWN') = classes.paper_standing_code
