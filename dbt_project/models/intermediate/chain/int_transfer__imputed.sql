-- A value with bounds for every transfer that the papers lead us to expect and do not show. What a contract or a tariff
-- fixes is modelled, exact but for the rounding; all else is imputed from the observed ones most like it. A fee on a sale
-- that is itself imputed has the sale's bounds too.
with unseen as (
    select * from {{ ref('int_transfer__based') }}
    where amount is null and (base is not null or base_code = 'SALE')
),

nearest as (
    select * from (
        select
            *,
            row_number() over (partition by transfer_key, is_synthetic order by preference) as choice
        from unseen
    ) as ranked
    where choice = 1
),

{{ ranged_by_cells('nearest', ref('int_transfer__ratios')) }},

contracts as (
    select
        holder_key,
        operator_key,
        reinfo_key,
        fee_pct,
        is_synthetic
    from {{ ref('stg_partner_contracts__contracts') }}
    where is_current and fee_pct is not null
),

-- A contract binds holder and operator; where they have several, the one of the registration on the papers.
contract_fees as (
    select
        expected.transfer_key,
        contracts.fee_pct,
        row_number() over (
            partition by expected.transfer_key, expected.is_synthetic
            order by case when expected.reinfo_key = contracts.reinfo_key then 0 else 1 end, contracts.fee_pct
        ) as choice,
        expected.is_synthetic
    from {{ ref('int_transfer__expected') }} as expected
    inner join contracts
        on
            expected.payee_key = contracts.holder_key
            and expected.payer_key = contracts.operator_key
            and expected.is_synthetic = contracts.is_synthetic
    where expected.kind_code = 'CONCESSION_FEE'
),

tolls as (
    select
        lot_id as lot_key,
        max(toll_usd_per_dmt) as toll_usd_per_dmt,
        is_synthetic
    from {{ ref('stg_partner_campaigns__lines') }}
    where is_current and line_kind_code = 'RELAVE' and toll_usd_per_dmt is not null
    group by lot_id, is_synthetic
),

fixed as (
    select
        ranged.*,
        coalesce(contract_fees.fee_pct * 0.01, tolls.toll_usd_per_dmt) as fixed_ratio,
        case when contract_fees.fee_pct is null then {{ imputation_rule('RATIO_ROUNDING') }} else 0 end
            as fixed_rounding
    from ranged
    left join contract_fees
        on
            ranged.transfer_key = contract_fees.transfer_key
            and ranged.is_synthetic = contract_fees.is_synthetic
            and contract_fees.choice = 1
    left join tolls
        on
            ranged.lot_key = tolls.lot_key
            and ranged.is_synthetic = tolls.is_synthetic
            and ranged.kind_code = 'MILLING'
),

rated as (
    select
        transfer_key,
        kind_code,
        lot_key,
        base,
        base_low,
        base_high,
        base_low = base_high as is_base_told,
        fixed_ratio is not null as is_fixed,
        ratio_count,
        priced_date,
        coalesce(fixed_ratio - fixed_rounding, low_ratio) as low_ratio,
        coalesce(fixed_ratio, central_ratio) as central_ratio,
        coalesce(fixed_ratio + fixed_rounding, high_ratio) as high_ratio,
        is_synthetic
    from fixed
),

first_valued as (
    select
        *,
        central_ratio * base as value_usd,
        {{ amount_low('low_ratio', 'base_low', 'base_high') }} as low_usd,
        {{ amount_high('high_ratio', 'base_low', 'base_high') }} as high_usd
    from rated
    where base is not null
),

-- Of a lot's ore there is one sale on which fees are due.
imputed_sales as (
    select
        lot_key,
        max(greatest(value_usd, 0)) as base,
        max(greatest(low_usd, 0)) as base_low,
        max(greatest(high_usd, 0)) as base_high,
        is_synthetic
    from first_valued
    where kind_code in ('ORE_AT_PIT', 'ORE_AT_PLANT')
    group by lot_key, is_synthetic
),

then_valued as (
    select
        rated.* replace (
            imputed_sales.base as base,
            imputed_sales.base_low as base_low,
            imputed_sales.base_high as base_high,
            false as is_base_told
        ),
        rated.central_ratio * imputed_sales.base as value_usd,
        {{ amount_low('rated.low_ratio', 'imputed_sales.base_low', 'imputed_sales.base_high') }} as low_usd,
        {{ amount_high('rated.high_ratio', 'imputed_sales.base_low', 'imputed_sales.base_high') }} as high_usd
    from rated
    inner join imputed_sales
        on rated.lot_key = imputed_sales.lot_key and rated.is_synthetic = imputed_sales.is_synthetic
    where rated.base is null
),

valued as (
    select * from first_valued
    union all
    select * from then_valued
)

select
    valued.transfer_key,
    valued.kind_code,
    valued.lot_key,
    cast(round(valued.value_usd, 2) as decimal(18, 2)) as value_usd,
    cast(least(round(valued.value_usd, 2), floor(valued.low_usd * 100) * 0.01) as decimal(18, 2)) as value_low_usd,
    cast(greatest(round(valued.value_usd, 2), ceil(valued.high_usd * 100) * 0.01) as decimal(18, 2)) as value_high_usd,
    valued.ratio_count,
    case
        when valued.is_fixed and valued.is_base_told then 'modelled'
        when valued.ratio_count = 0 then 'modelled'
        else 'imputed'
    end as value_basis_code,
    valued.is_synthetic
from valued
