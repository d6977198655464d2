-- A value with bounds for every transfer that the papers lead us to expect and do not show. A fee that a contract
-- fixes on a known sale is modelled, exact but for the cent, and so is what rests on what is said of the sector alone;
-- all else is imputed from the observed ones most like it. A fee on a sale that is itself imputed has the sale's
-- bounds too. What is settled provisionally is observed and keeps its value; its bounds say how far final values go
-- from provisional ones.
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

-- Of the agreements between a holder and an operator, the one of the registration on the papers.
agreed as (
    select
        unobserved.transfer_key,
        fees.fee_frac,
        row_number() over (
            partition by unobserved.transfer_key, unobserved.is_synthetic
            order by case when unobserved.reinfo_key = fees.reinfo_key then 0 else 1 end, fees.fee_frac
        ) as choice,
        unobserved.is_synthetic
    from {{ ref('int_transfer__unobserved') }} as unobserved
    inner join {{ ref('int_contract__fees') }} as fees
        on
            unobserved.payee_key = fees.holder_key
            and unobserved.payer_key = fees.operator_key
            and unobserved.is_synthetic = fees.is_synthetic
    where unobserved.kind_code = 'CONCESSION_FEE' and fees.why_code = 'CONTRACT'
),

rated as (
    select
        ranged.transfer_key,
        ranged.kind_code,
        ranged.lot_key,
        ranged.base,
        ranged.base_low,
        ranged.base_high,
        ranged.base_code,
        agreed.fee_frac is not null as is_fixed,
        ranged.ratio_count,
        coalesce(agreed.fee_frac, ranged.low_ratio) as low_ratio,
        coalesce(agreed.fee_frac, ranged.central_ratio) as central_ratio,
        coalesce(agreed.fee_frac, ranged.high_ratio) as high_ratio,
        ranged.is_synthetic
    from ranged
    left join agreed
        on
            ranged.transfer_key = agreed.transfer_key
            and ranged.is_synthetic = agreed.is_synthetic
            and agreed.choice = 1
),

-- Of a lot's ore there is one sale on which fees are due.
imputed_sales as (
    select
        lot_key,
        max(greatest({{ wide('central_ratio') }} * base, 0)) as base,
        max(greatest({{ amount_low('low_ratio', 'base_low', 'base_high') }}, 0)) as base_low,
        max(greatest({{ amount_high('high_ratio', 'base_low', 'base_high') }}, 0)) as base_high,
        is_synthetic
    from rated
    where kind_code in ('ORE_AT_PIT', 'ORE_AT_PLANT')
    group by lot_key, is_synthetic
),

with_base as (
    select
        rated.transfer_key,
        rated.kind_code,
        rated.lot_key,
        rated.base_code,
        cast(coalesce(rated.base, imputed_sales.base) as decimal(18, 6)) as base,
        cast(coalesce(rated.base_low, imputed_sales.base_low) as decimal(18, 6)) as base_low,
        cast(coalesce(rated.base_high, imputed_sales.base_high) as decimal(18, 6)) as base_high,
        rated.low_ratio,
        rated.central_ratio,
        rated.high_ratio,
        rated.is_fixed and rated.base is not null as is_modelled,
        rated.ratio_count,
        rated.is_synthetic
    from rated
    -- As a key, since a condition on the left side of an outer join would compare every row with every sale.
    left join imputed_sales
        on
            case when rated.base is null then rated.lot_key end = imputed_sales.lot_key
            and rated.is_synthetic = imputed_sales.is_synthetic
    where coalesce(rated.base, imputed_sales.base) is not null
),

valued as (
    select
        *,
        case when base_code = 'PROVISIONAL' then base else {{ wide('central_ratio') }} * base end as value_usd,
        {{ amount_low('low_ratio', 'base_low', 'base_high') }} as low_usd,
        {{ amount_high('high_ratio', 'base_low', 'base_high') }} as high_usd
    from with_base
)

select
    transfer_key,
    kind_code,
    lot_key,
    base_code,
    {{ bounded_usd('value_usd', 'low_usd', 'high_usd') }},
    cast(ratio_count as bigint) as ratio_count,
    case
        when base_code = 'PROVISIONAL' then 'observed'
        when is_modelled or ratio_count = 0 then 'modelled'
        else 'imputed'
    end as value_basis_code,
    is_synthetic
from valued
