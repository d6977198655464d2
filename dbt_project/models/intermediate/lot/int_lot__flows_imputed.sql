-- Payments of which the papers do not even tell that they took place, where they lose a lot on its way down or up the
-- chain: what is usually paid beyond that point for copper worth as much (int_lot__profiles), with bounds. Down: from the
-- pit, from the plant's gate, from the store. Up: for a collector's load without its mixing sheet, and for a product
-- without its campaign. Kinds that the papers do tell of that lot are not told again.
with told as (
    select distinct
        lot_key,
        kind_code,
        payee_role_code,
        is_synthetic
    from {{ ref('fct_transfer') }}
),

-- Ore that a plant bought, or a product that it sold as its own; TOLL is another's product.
deals as (
    select
        lot_key,
        max(
            case when kind_code = 'ORE_AT_PLANT' or payee_role_code = 'PLANT' then 'BOUGHT' else 'TOLL' end
        ) as deal_code,
        is_synthetic
    from told
    where kind_code in ('ORE_AT_PLANT', 'CONCENTRATE')
    group by lot_key, is_synthetic
),

losses as (
    select
        lot_key,
        'NO_' || case end_code when 'PIT' then 'LOAD' when 'LOAD' then 'CAMPAIGN' else 'EXPORT' end as loss_code,
        is_synthetic
    from {{ ref('int_lot__ends') }}
    where end_code in ('PIT', 'LOAD', 'PRODUCT')

    union all

    select
        lot_key,
        missing_code as loss_code,
        is_synthetic
    from {{ ref('int_lot__missing') }}
    where missing_code in ('NO_MIX', 'NO_FEED')
),

lost as (
    select
        losses.lot_key,
        losses.loss_code,
        case when losses.loss_code in ('NO_EXPORT', 'NO_FEED') then 'EXPORTED' else 'CONTAINED' end as base_code,
        lots.lot_kind_code,
        lots.is_origin and no_mix.lot_key is null as is_from_pit_to_plant,
        coalesce(deals.deal_code, '--') as deal_code,
        lots.form_code,
        lots.grade_band_code,
        cast({{ wide('lots.copper_central_t') }} * prices.copper_usd_per_t as decimal(18, 6)) as base,
        cast({{ wide('lots.copper_low_t') }} * prices.copper_usd_per_t as decimal(18, 6)) as base_low,
        cast({{ wide('lots.copper_high_t') }} * prices.copper_usd_per_t as decimal(18, 6)) as base_high,
        losses.is_synthetic
    from losses
    inner join {{ ref('int_lot__measures') }} as lots
        on losses.lot_key = lots.lot_key and losses.is_synthetic = lots.is_synthetic
    inner join {{ ref('int_price__daily') }} as prices
        on lots.first_date = prices.price_date and lots.is_synthetic = prices.is_synthetic
    left join deals
        on losses.lot_key = deals.lot_key and losses.is_synthetic = deals.is_synthetic
    left join {{ ref('int_lot__missing') }} as no_mix
        on
            losses.lot_key = no_mix.lot_key
            and losses.is_synthetic = no_mix.is_synthetic
            and no_mix.missing_code = 'NO_MIX'
    where prices.copper_usd_per_t is not null and lots.copper_central_t is not null
),

-- Which stages of the chain lie beyond each loss.
flows as (
    select distinct
        profiles.kind_code,
        profiles.base_code,
        split_part(profiles.kind_code, '/', 2) as transfer_kind_code,
        split_part(profiles.kind_code, '/', 3) as payee_role_code,
        split_part(profiles.kind_code, '/', 4) as payer_role_code,
        stages.loss_code,
        profiles.is_synthetic
    from {{ ref('int_lot__profiles') }} as profiles
    inner join {{ ref('lot_loss_stages') }} as stages
        on split_part(profiles.kind_code, '/', 1) = stages.stage_code
    where profiles.cell_level = 0
),

wanted as (
    select
        lost.lot_key,
        flows.kind_code,
        lost.base_code,
        flows.transfer_kind_code,
        flows.payee_role_code,
        flows.payer_role_code,
        case
            when lost.base_code = 'EXPORTED' then lost.deal_code
            when lost.lot_kind_code = 'LOAD' and lost.is_from_pit_to_plant then 'LOAD'
            else 'PIT'
        end as feature_1,
        case when lost.base_code = 'EXPORTED' then '--' else lost.deal_code end as feature_2,
        case when lost.base_code = 'EXPORTED' then '--' else lost.form_code end as feature_3,
        case when lost.base_code = 'EXPORTED' then '--' else lost.grade_band_code end as feature_4,
        lost.base,
        lost.base_low,
        lost.base_high,
        lost.is_synthetic
    from lost
    inner join flows
        on
            lost.loss_code = flows.loss_code
            and lost.base_code = flows.base_code
            and lost.is_synthetic = flows.is_synthetic
    left join told
        on
            lost.lot_key = told.lot_key
            and flows.transfer_kind_code = told.kind_code
            and flows.payee_role_code = told.payee_role_code
            and lost.is_synthetic = told.is_synthetic
    where told.lot_key is null
),

{{ ranged_by_cells('wanted', ref('int_lot__profiles')) }}

select
    concat_ws('/', lot_key, kind_code) as transfer_key,
    transfer_kind_code as kind_code,
    lot_key,
    payee_role_code,
    payer_role_code,
    {{ bounded_usd(
        wide('central_ratio') ~ ' * base', amount_low('low_ratio', 'base_low', 'base_high'),
        amount_high('high_ratio', 'base_low', 'base_high')
    ) }},
    ratio_count,
    'imputed' as value_basis_code,
    is_synthetic
from ranged
-- What no lot of the cell had is not imputed.
where central_ratio <> 0
