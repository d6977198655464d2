-- Origin lots with the copper that begins at them, their mass in proportion, the day and the copper price that they are
-- measured by, and how much of that copper the papers follow to where: into exported lots, or to a lot where they end
-- (at the pit, at the plant's gate, in the plant's or trader's store). What is neither went into the tailings. Lots are
-- measured on their day: that on which partners' papers first show them.
with ending as (
    select
        shares.origin_lot_key,
        ends.end_code,
        case
            when ends.left_g = shares.lot_copper_g then shares.copper_g
            else {{ whole_part('ends.left_g', 'shares.copper_g', 'shares.lot_copper_g') }}
        end as copper_g,
        shares.is_synthetic
    from {{ ref('int_lot__shares') }} as shares
    inner join {{ ref('int_lot__ends') }} as ends
        on shares.lot_key = ends.lot_key and shares.is_synthetic = ends.is_synthetic
    where shares.basis_code = 'LOT'
),

followed as (
    select
        origin_lot_key,
        coalesce(sum(copper_g) filter (where end_code = 'EXPORTED'), 0) as exported_g,
        coalesce(sum(copper_g) filter (where end_code = 'PIT'), 0) as at_pit_g,
        coalesce(sum(copper_g) filter (where end_code = 'LOAD'), 0) as at_plant_g,
        coalesce(sum(copper_g) filter (where end_code = 'PRODUCT'), 0) as in_store_g,
        is_synthetic
    from ending
    group by origin_lot_key, is_synthetic
),

-- Lots whose copper the papers divide, with what begins at the lot itself.
divided as (
    select
        lot_key,
        max(case when basis_code = 'LOT' and origin_lot_key = lot_key then copper_g end) as own_g,
        max(case when basis_code = 'LOT' then lot_copper_g end) as lot_g,
        is_synthetic
    from {{ ref('int_lot__shares') }}
    group by lot_key, is_synthetic
),

paid as (
    select distinct
        lot_key,
        is_synthetic
    from {{ ref('fct_transfer') }}
)

select
    lots.lot_key,
    lots.lot_kind_code,
    lots.product_form_code,
    lots.form_code,
    lots.grade_band_code,
    lots.department_code,
    lots.operator_key,
    lots.reinfo_key,
    lots.registry_state,
    lots.first_date as reference_date,
    prices.copper_usd_per_t as reference_copper_usd_per_t,
    prices.copper_basis_code as reference_price_basis_code,
    {% for mass in ['mass_wmt', 'mass_dmt'] -%}
        case
            when divided.own_g < divided.lot_g
                then {{ tonnes_of(whole_part(
                    'cast(lots.' ~ mass ~ ' * 1000000 as bigint)', 'divided.own_g', 'divided.lot_g'
                )) }}
            else lots.{{ mass }}
        end as {{ mass }},
    {% endfor -%}
    cast(coalesce(divided.own_g, lots.copper_g) as bigint) as copper_g,
    cast(coalesce(followed.exported_g, 0) as bigint) as exported_g,
    cast(coalesce(followed.at_pit_g, 0) as bigint) as at_pit_g,
    cast(coalesce(followed.at_plant_g, 0) as bigint) as at_plant_g,
    cast(coalesce(followed.in_store_g, 0) as bigint) as in_store_g,
    lots.is_synthetic
from {{ ref('int_lot__measures') }} as lots
left join divided
    on lots.lot_key = divided.lot_key and lots.is_synthetic = divided.is_synthetic
left join paid
    on lots.lot_key = paid.lot_key and lots.is_synthetic = paid.is_synthetic
left join followed
    on lots.lot_key = followed.origin_lot_key and lots.is_synthetic = followed.is_synthetic
left join {{ ref('int_price__daily') }} as prices
    on lots.first_date = prices.price_date and lots.is_synthetic = prices.is_synthetic
-- Lots whose copper no paper divides are their own origins too.
where divided.own_g is not null or (divided.lot_key is null and (lots.is_origin or paid.lot_key is not null))
