-- Every sale of ore or product inside the country whose price a paper shows, with what it can be compared to, US$ per
-- dry tonne: the copper's quotation of the day; the netback, what a plant could pay and lose nothing; and a public
-- buyer's tariff at the mean price of the month before. Price and comparison are of the place of the sale: what a plant
-- pays the haulier and deducts on the sheet is part of what it paid for ore at its gate, and netback and tariff of ore
-- that is hauled after the sale (at the pit, between collectors) are less the department's usual freight. Null where a
-- term of it is not known.
with sales as (
    select
        *,
        cast(date_trunc('month', first_date) as date) as month
    from {{ ref('fct_transfer') }}
    where
        kind_code in {{ sale_kinds() }}
        and value_basis_code = 'observed'
        and mass_dmt > 0
        and value_usd > 0
),

sexes as (
    select
        party_key,
        is_synthetic,
        max(sex_code) as sex_code
    from {{ ref('int_formalization__dimensions') }}
    where sex_code <> 'SIN_DATO'
    group by party_key, is_synthetic
),

-- A mine does not move: where the registration's layouts of the day do not say, where it was last known to be.
districts as (
    select
        registrations.registration_key,
        registrations.is_synthetic,
        max_by(places.ubigeo_code, registrations.valid_from) as district_code
    from {{ ref('dim_registration') }} as registrations
    inner join {{ ref('dim_place') }} as places
        on registrations.place_code = places.ubigeo_code and places.place_level = 'district'
    group by registrations.registration_key, registrations.is_synthetic
),

tariffs as (
    select
        terms.*,
        funds.support_most_usd_cents_per_lb,
        funds.withheld_pct
    from {{ ref('ref_buyer_tariff') }} as terms
    inner join {{ ref('ref_buyer_fund') }} as funds on terms.tariff_code = funds.tariff_code
),

joined as (
    select
        sales.*,
        case when sales.kind_code = 'ORE_AT_PLANT' then coalesce(sheets.freight_usd, 0) else 0 end
            as freight_deducted_usd,
        coalesce(origins.department_code, '--') as department_code,
        coalesce(districts.district_code, '--') as district_code,
        {{ registration_state('sales.reinfo_key') }} as registry_state,
        coalesce(sexes.sex_code, 'SIN_DATO') as operator_sex_code,
        days.copper_usd_per_t,
        charges.treatment_charge_usd_per_dmt,
        cast(charges.refining_charge_usd_cents_per_lb * 0.01 as decimal(14, 6)) as refining_usd_per_lb,
        terms.recovery_frac,
        coalesce(terms.product_cu_pct, sales.cu_pct) as product_cu_pct,
        terms.payable_pct,
        terms.deduction_pct,
        terms.freight_usd_per_dmt,
        terms.processing_usd_per_dmt,
        case
            when sales.kind_code in ('ORE_AT_PIT', 'ORE_BETWEEN_COLLECTORS') then roads.haul_usd_per_dmt
            else 0
        end as haul_usd_per_dmt,
        {{ cents_of_usd_per_t('means.copper_usd_per_t') }} as tariff_usd_cents_per_lb
    from sales
    left join {{ ref('int_settlement__sales') }} as sheets
        on
            sales.payer_key = sheets.buyer_key
            and sales.lot_key = sheets.lot_key
            and sales.is_synthetic = sheets.is_synthetic
    left join {{ ref('int_formalization__dimensions') }} as origins
        on sales.reinfo_key = origins.registration_key and sales.is_synthetic = origins.is_synthetic
    left join districts
        on sales.reinfo_key = districts.registration_key and sales.is_synthetic = districts.is_synthetic
    {{ standing_on('sales', 'reinfo_key', 'first_date') }}
    left join sexes
        on sales.operator_key = sexes.party_key and sales.is_synthetic = sexes.is_synthetic
    left join {{ ref('int_price__daily') }} as days
        on sales.first_date = days.price_date and sales.is_synthetic = days.is_synthetic
    left join {{ ref('int_price__monthly') }} as means
        on sales.month = {{ months_after('means.month', 1) }} and sales.is_synthetic = means.is_synthetic
    left join {{ ref('ref_treatment_charge') }} as charges on {{ is_in_force('sales.first_date', 'charges') }}
    left join {{ ref('ref_netback_term') }} as terms
        on sales.product_form_code = terms.product_form_code and {{ is_in_force('sales.first_date', 'terms') }}
    left join {{ ref('int_haul__costs') }} as roads
        on
            origins.department_code = roads.department_code
            and extract(year from sales.first_date) = roads.year
            and sales.is_synthetic = roads.is_synthetic
),

-- What of the product is paid at the contracts' terms, and how much of it a tonne of the sale makes.
products as (
    select
        *,
        {{ payable_cu_pct('product_cu_pct', 'payable_pct', 'deduction_pct', "'ESTANDAR'") }} as payable_cu_pct,
        case
            when product_cu_pct > 0 then {{ mass_pull_frac('cu_pct', 'recovery_frac', 'product_cu_pct') }}
        end as mass_pull_frac
    from joined
),

compared as (
    select
        products.*,
        cast({{ wide('value_usd + freight_deducted_usd') }} / products.mass_dmt as decimal(18, 8)) as paid_usd_per_dmt,
        {{ copper_usd_per_dmt('cu_pct', 'copper_usd_per_t') }} as lme_usd_per_dmt,
        {{ ore_netback_usd_per_dmt(
            'mass_pull_frac',
            '(' ~ copper_usd_per_dmt('payable_cu_pct', 'copper_usd_per_t') ~ ' - treatment_charge_usd_per_dmt - '
            ~ refining_usd_per_dmt('payable_cu_pct', 'refining_usd_per_lb') ~ ')',
            'freight_usd_per_dmt',
            'processing_usd_per_dmt'
        ) }} - products.haul_usd_per_dmt as netback_usd_per_dmt,
        tariffs.tariff_code,
        tariffs.cap_code,
        tariffs.monthly_cap_dmt,
        tariffs.support_price_usd_cents_per_lb,
        case
            when tariffs.tariff_code is not null and products.tariff_usd_cents_per_lb is not null
                then {{ support_usd_cents_per_lb(
                    'products.tariff_usd_cents_per_lb',
                    'tariffs.support_price_usd_cents_per_lb',
                    'tariffs.support_most_usd_cents_per_lb'
                ) }}
        end as support_usd_cents_per_lb,
        greatest(products.tariff_usd_cents_per_lb - tariffs.support_price_usd_cents_per_lb, 0)
        * tariffs.withheld_pct * 0.01
            as withholdable_usd_cents_per_lb,
        case
            when tariffs.tariff_code is not null and products.tariff_usd_cents_per_lb is not null
                then
                    {{ tariff_at_price_usd_per_dmt('products.cu_pct', 'products.tariff_usd_cents_per_lb', 'tariffs') }}
                    - products.haul_usd_per_dmt
        end as tariff_usd_per_dmt,
        {{ pounds(recovered_cu('mass_dmt', 'cu_pct', 'tariffs.recovery_frac')) }} as tariff_cu_lb
    from products
    left join tariffs
        on
            products.product_form_code = tariffs.product_form_code
            and {{ is_in_force('products.first_date', 'tariffs') }}
)

select
    transfer_key,
    kind_code,
    product_form_code,
    lot_key,
    first_date as sale_date,
    month,
    payee_key as seller_key,
    payee_role_code as seller_role_code,
    payer_key as buyer_key,
    operator_key,
    operator_sex_code,
    reinfo_key,
    registry_state,
    department_code,
    district_code,
    is_provisional,
    mass_dmt as dmt,
    cu_pct,
    cast(copper_g * 0.000001 as decimal(18, 6)) as copper_t,
    cast(value_usd + freight_deducted_usd as decimal(18, 2)) as paid_usd,
    cast(freight_deducted_usd as decimal(18, 2)) as freight_deducted_usd,
    paid_usd_per_dmt,
    lme_usd_per_dmt,
    cast(paid_usd_per_dmt / nullif(lme_usd_per_dmt, 0) as decimal(18, 8)) as paid_share_of_lme_contained_frac,
    haul_usd_per_dmt,
    netback_usd_per_dmt,
    case
        when netback_usd_per_dmt > 0 then cast(paid_usd_per_dmt / netback_usd_per_dmt as decimal(18, 8))
    end as paid_share_of_netback_frac,
    tariff_code,
    cap_code,
    monthly_cap_dmt,
    tariff_cu_lb,
    tariff_usd_cents_per_lb,
    support_price_usd_cents_per_lb,
    support_usd_cents_per_lb,
    cast(withholdable_usd_cents_per_lb as decimal(18, 6)) as withholdable_usd_cents_per_lb,
    tariff_usd_per_dmt,
    is_synthetic
from compared
