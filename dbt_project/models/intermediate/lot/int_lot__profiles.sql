-- What is paid at each stage of the chain for a dollar of copper, from what is observed. A flow is a kind of payment
-- at a stage between two roles, spelt STAGE/KIND/PAYEE/PAYER; its lots are those of the stage on which anything was
-- paid, or of a kind that every lot has (chain_flows) those that have it, whoever pays. Lots without the flow count as
-- zero: what is there at times only has a range from zero. RECOVERY is the copper of products for each gram fed.
with situations as (
    select * from {{ ref('int_lot__situations') }}
    where contained_central_usd > 0 and deal_code <> '?' and seller_code <> '?'
),

paid as (
    select
        transfers.lot_key,
        transfers.kind_code,
        situations.stage_code,
        flows.is_always,
        concat_ws(
            '/', situations.stage_code, transfers.kind_code, transfers.payee_role_code, transfers.payer_role_code
        ) as flow_code,
        transfers.value_usd,
        transfers.is_synthetic
    from {{ ref('fct_transfer') }} as transfers
    inner join situations
        on transfers.lot_key = situations.lot_key and transfers.is_synthetic = situations.is_synthetic
    inner join {{ ref('chain_flows') }} as flows
        on transfers.kind_code = flows.kind_code and situations.stage_code = flows.stage_code
    where transfers.value_basis_code = 'observed'
),

flows as (
    select
        lot_key,
        flow_code,
        sum(value_usd) as amount,
        is_synthetic
    from paid
    group by lot_key, flow_code, is_synthetic
),

-- Which lots count for a flow: ANY on the stage's lots, else the kind that they have.
counted as (
    select distinct
        lot_key,
        stage_code,
        'ANY' as counted_code,
        is_synthetic
    from paid

    union all

    select distinct
        lot_key,
        stage_code,
        kind_code as counted_code,
        is_synthetic
    from paid
    where is_always

    union all

    -- Every campaign shows whether it was milled for another.
    select
        lot_key,
        stage_code,
        'ANY' as counted_code,
        is_synthetic
    from situations
    where stage_code = 'CAMPAIGN' and deal_code = 'BOUGHT'
),

counted_lots as (
    select
        counted.stage_code,
        counted.counted_code,
        situations.deal_code,
        situations.seller_code,
        situations.form_code,
        situations.grade_band_code,
        count(*) as lot_count,
        sum(situations.contained_central_usd) as base,
        counted.is_synthetic
    from counted
    inner join situations
        on counted.lot_key = situations.lot_key and counted.is_synthetic = situations.is_synthetic
    group by
        counted.stage_code, counted.counted_code, situations.deal_code, situations.seller_code, situations.form_code,
        situations.grade_band_code, counted.is_synthetic
),

with_flow as (
    select
        flows.flow_code as kind_code,
        situations.deal_code as feature_1,
        situations.seller_code as feature_2,
        situations.form_code as feature_3,
        situations.grade_band_code as feature_4,
        flows.amount,
        situations.contained_central_usd as base,
        flows.is_synthetic
    from flows
    inner join situations
        on flows.lot_key = situations.lot_key and flows.is_synthetic = situations.is_synthetic
),

kinds as (
    select
        flow_code as kind_code,
        min(stage_code) as stage_code,
        max(case when is_always then kind_code else 'ANY' end) as counted_code,
        is_synthetic
    from paid
    group by flow_code, is_synthetic
),

lots_with as (
    select
        kind_code,
        feature_1,
        feature_2,
        feature_3,
        feature_4,
        count(*) as lot_count,
        sum(base) as base,
        is_synthetic
    from with_flow
    group by kind_code, feature_1, feature_2, feature_3, feature_4, is_synthetic
),

-- Counted by difference: the cross of lots and flows is never written out.
without_flow as (
    select
        kinds.kind_code,
        lots.deal_code as feature_1,
        lots.seller_code as feature_2,
        lots.form_code as feature_3,
        lots.grade_band_code as feature_4,
        lots.base - coalesce(lots_with.base, 0) as base,
        lots.lot_count - coalesce(lots_with.lot_count, 0) as lot_count,
        lots.is_synthetic
    from counted_lots as lots
    inner join kinds
        on
            lots.stage_code = kinds.stage_code
            and lots.counted_code = kinds.counted_code
            and lots.is_synthetic = kinds.is_synthetic
    left join lots_with
        on
            kinds.kind_code = lots_with.kind_code
            and lots.deal_code = lots_with.feature_1
            and lots.seller_code = lots_with.feature_2
            and lots.form_code = lots_with.feature_3
            and lots.grade_band_code = lots_with.feature_4
            and lots.is_synthetic = lots_with.is_synthetic
    where lots.lot_count > coalesce(lots_with.lot_count, 0)
),

recovered as (
    select
        edges.from_lot_key,
        sum(case when products.lot_kind_code = 'PRODUCT' then edges.copper_g else 0 end) as product_g,
        sum(edges.copper_g) as fed_g,
        edges.is_synthetic
    from {{ ref('int_lot__edges') }} as edges
    inner join {{ ref('dim_lot') }} as products
        on edges.to_lot_key = products.lot_key and edges.is_synthetic = products.is_synthetic
    where products.lot_kind_code in ('PRODUCT', 'TAILINGS')
    group by edges.from_lot_key, edges.is_synthetic
),

seen as (
    select
        kind_code,
        'CONTAINED' as base_code,
        feature_1,
        feature_2,
        feature_3,
        feature_4,
        cast(amount as decimal(18, 6)) as amount,
        cast(base as decimal(24, 6)) as base,
        1 as lot_count,
        is_synthetic
    from with_flow

    union all

    select
        kind_code,
        'CONTAINED' as base_code,
        feature_1,
        feature_2,
        feature_3,
        feature_4,
        0 as amount,
        base,
        lot_count,
        is_synthetic
    from without_flow

    union all

    select
        'RECOVERY' as kind_code,
        'FED' as base_code,
        situations.form_code as feature_1,
        situations.grade_band_code as feature_2,
        '--' as feature_3,
        '--' as feature_4,
        {{ tonnes_of('recovered.product_g') }} as amount,
        {{ tonnes_of('recovered.fed_g') }} as base,
        1 as lot_count,
        recovered.is_synthetic
    from recovered
    inner join situations
        on recovered.from_lot_key = situations.lot_key and recovered.is_synthetic = situations.is_synthetic
),

{{ ratio_cells('seen', weight='lot_count') }}

select * from cells
