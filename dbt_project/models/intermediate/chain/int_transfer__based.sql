{{ config(materialized='view') }}
-- Every transfer, observed (with its value) or not (without), beside what its value is compared with: one row for each
-- base that is known. Goods are compared with their copper at the London price of their day, a product's sale and its
-- export with each other and with what was provisionally settled (a value that is still provisional counts as not
-- observed); carriage goes by wet tonnes, milling by dry tonnes fed, an assay by lot, and a biller's or a concession
-- holder's fee by the sale on which it is due. preference 1 is the nearest base.
with transfers as (
    select
        transfer_key,
        kind_code,
        lot_key,
        payee_key,
        payer_key,
        transfer_date,
        case when not is_provisional then value_usd end as value_usd,
        is_synthetic
    from {{ ref('int_transfer__observed') }}

    union all

    select
        transfer_key,
        kind_code,
        lot_key,
        payee_key,
        payer_key,
        expected_date as transfer_date,
        cast(null as decimal(18, 2)) as value_usd,
        is_synthetic
    from {{ ref('int_transfer__unobserved') }}
),

-- What a product's provisional sheet or declaration said of it, and its first voucher, which pays a part of that.
firsts as (
    select
        kind_code,
        lot_key,
        -- A sum has 38 digits: a union with it would leave all bases two places.
        cast(sum(value_usd) as decimal(18, 2)) as value_usd,
        is_synthetic
    from {{ ref('int_transfer__vouchers') }}
    where kind_code in ('CONCENTRATE', 'EXPORT') and part_code = 'SALE'
    group by kind_code, lot_key, is_synthetic
),

provisional as (
    select
        'CONCENTRATE' as kind_code,
        codes.lot_key,
        'PROVISIONAL' as base_code,
        1 as preference,
        max(sheets.value_usd) as value_usd,
        sheets.is_synthetic
    from {{ ref('stg_partner_settlements__settlements') }} as sheets
    inner join {{ ref('int_lot__codes') }} as codes
        on
            sheets.buyer_key = codes.party_key
            and sheets.lot_id = codes.lot_id
            and sheets.is_synthetic = codes.is_synthetic
    where sheets.is_current and sheets.stage_code = 'PROVISIONAL'
    group by codes.lot_key, sheets.is_synthetic

    union all

    select
        'EXPORT' as kind_code,
        lot_key,
        'PROVISIONAL' as base_code,
        1 as preference,
        provisional_fob_usd as value_usd,
        is_synthetic
    from {{ ref('int_export__lots') }}
    where provisional_fob_usd is not null

    union all

    select
        kind_code,
        lot_key,
        'FIRST_VOUCHER' as base_code,
        2 as preference,
        value_usd,
        is_synthetic
    from firsts
),

on_lots as (
    select
        transfers.*,
        coalesce(transfers.payee_key, '--') as payee,
        coalesce(transfers.payer_key, '--') as payer,
        lots.lot_kind_code,
        lots.form_code,
        lots.grade_band_code,
        coalesce(lots.department_code, '--') as department_code,
        coalesce(lots.origin_ubigeo_code, '--') as origin_ubigeo_code,
        coalesce(lots.plant_key, '--') as plant_key,
        lots.registry_state,
        lots.mass_central_wmt,
        lots.mass_low_wmt,
        lots.mass_high_wmt,
        lots.copper_central_t,
        lots.copper_low_t,
        lots.copper_high_t,
        coalesce(transfers.transfer_date, lots.first_date) as priced_date,
        prices.copper_usd_per_t
    from transfers
    inner join {{ ref('int_lot__measures') }} as lots
        on transfers.lot_key = lots.lot_key and transfers.is_synthetic = lots.is_synthetic
    left join {{ ref('int_price__daily') }} as prices
        on
            coalesce(transfers.transfer_date, lots.first_date) = prices.price_date
            and transfers.is_synthetic = prices.is_synthetic
),

sales as (
    select
        lot_key,
        max(value_usd) filter (where kind_code = 'CONCENTRATE') as concentrate_usd,
        max(value_usd) filter (where kind_code = 'EXPORT') as export_usd,
        max(value_usd) filter (where kind_code in ('ORE_AT_PIT', 'ORE_AT_PLANT')) as ore_usd,
        is_synthetic
    from transfers
    where kind_code in ('CONCENTRATE', 'EXPORT', 'ORE_AT_PIT', 'ORE_AT_PLANT') and value_usd > 0
    group by lot_key, is_synthetic
),

based as (
    select
        'LME' as base_code,
        4 as preference,
        {{ exact_product('copper_central_t', 'copper_usd_per_t') }} as base,
        {{ exact_product('copper_low_t', 'copper_usd_per_t') }} as base_low,
        {{ exact_product('copper_high_t', 'copper_usd_per_t') }} as base_high,
        form_code as feature_1,
        case when lot_kind_code = 'PRODUCT' then cast(year(priced_date) as varchar) else grade_band_code end
            as feature_2,
        case when lot_kind_code = 'PRODUCT' then payer else registry_state end as feature_3,
        case when lot_kind_code = 'PRODUCT' then '--' else department_code end as feature_4,
        *
    from on_lots
    where
        kind_code in ('ORE_AT_PIT', 'ORE_BETWEEN_COLLECTORS', 'ORE_AT_PLANT', 'CONCENTRATE', 'EXPORT')
        and copper_usd_per_t is not null

    union all

    select
        case on_lots.kind_code when 'EXPORT' then 'CONCENTRATE' else 'EXPORT' end as base_code,
        3 as preference,
        case on_lots.kind_code when 'EXPORT' then sales.concentrate_usd else sales.export_usd end as base,
        case on_lots.kind_code when 'EXPORT' then sales.concentrate_usd else sales.export_usd end as base_low,
        case on_lots.kind_code when 'EXPORT' then sales.concentrate_usd else sales.export_usd end as base_high,
        on_lots.form_code as feature_1,
        cast(year(on_lots.priced_date) as varchar) as feature_2,
        on_lots.payer as feature_3,
        '--' as feature_4,
        on_lots.*
    from on_lots
    inner join sales
        on on_lots.lot_key = sales.lot_key and on_lots.is_synthetic = sales.is_synthetic
    where on_lots.kind_code in ('CONCENTRATE', 'EXPORT')

    union all

    select
        provisional.base_code,
        provisional.preference,
        provisional.value_usd as base,
        provisional.value_usd as base_low,
        provisional.value_usd as base_high,
        on_lots.form_code as feature_1,
        cast(year(on_lots.priced_date) as varchar) as feature_2,
        on_lots.payer as feature_3,
        '--' as feature_4,
        on_lots.*
    from on_lots
    inner join provisional
        on
            on_lots.kind_code = provisional.kind_code
            and on_lots.lot_key = provisional.lot_key
            and on_lots.is_synthetic = provisional.is_synthetic

    union all

    select
        'WMT' as base_code,
        1 as preference,
        mass_central_wmt as base,
        mass_low_wmt as base_low,
        mass_high_wmt as base_high,
        lot_kind_code as feature_1,
        department_code as feature_2,
        plant_key as feature_3,
        origin_ubigeo_code as feature_4,
        *
    from on_lots
    where kind_code = 'HAULAGE'

    union all

    select
        'FED_DMT' as base_code,
        1 as preference,
        fed.fed_dmt as base,
        fed.fed_dmt as base_low,
        fed.fed_dmt as base_high,
        on_lots.plant_key as feature_1,
        '--' as feature_2,
        '--' as feature_3,
        '--' as feature_4,
        on_lots.*
    from on_lots
    inner join {{ ref('int_campaign__milled') }} as fed
        on on_lots.lot_key = fed.lot_key and on_lots.is_synthetic = fed.is_synthetic
    where on_lots.kind_code = 'MILLING'

    union all

    select
        'LOT' as base_code,
        1 as preference,
        1 as base,
        1 as base_low,
        1 as base_high,
        lot_kind_code as feature_1,
        payee as feature_2,
        '--' as feature_3,
        '--' as feature_4,
        *
    from on_lots
    where kind_code = 'LABORATORY'

    union all

    select
        'SALE' as base_code,
        1 as preference,
        sales.ore_usd as base,
        sales.ore_usd as base_low,
        sales.ore_usd as base_high,
        case on_lots.kind_code when 'BILLER_FEE' then on_lots.registry_state else on_lots.payee end as feature_1,
        case on_lots.kind_code when 'BILLER_FEE' then on_lots.payee else on_lots.payer end as feature_2,
        '--' as feature_3,
        '--' as feature_4,
        on_lots.*
    from on_lots
    left join sales
        on on_lots.lot_key = sales.lot_key and on_lots.is_synthetic = sales.is_synthetic
    where on_lots.kind_code in ('BILLER_FEE', 'CONCESSION_FEE')
)

select
    transfer_key,
    kind_code,
    lot_key,
    base_code,
    preference,
    value_usd as amount,
    cast(base as decimal(18, 6)) as base,
    cast(base_low as decimal(18, 6)) as base_low,
    cast(base_high as decimal(18, 6)) as base_high,
    feature_1,
    feature_2,
    feature_3,
    feature_4,
    priced_date,
    is_synthetic
from based
