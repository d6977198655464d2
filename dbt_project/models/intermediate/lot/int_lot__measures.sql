-- Every lot on papers or vouchers, with its mass and copper, bounds where they are not told, and the features by which
-- lots are compared. A mass that is not told is imputed from lots of its kind and form, copper from the mass and what
-- a wet tonne of such lots holds. The registration's state is that of the lot's day (int_registration__standing).
with paid as (
    select
        lot_key,
        first_date,
        kind_code,
        product_form_code,
        mass_wmt,
        mass_dmt,
        cu_pct,
        copper_g,
        operator_key,
        reinfo_key,
        is_synthetic
    from {{ ref('int_transfer__observed') }}

    union all

    select
        lot_key,
        expected_date as first_date,
        kind_code,
        product_form_code,
        mass_wmt,
        mass_dmt,
        cu_pct,
        copper_g,
        operator_key,
        reinfo_key,
        is_synthetic
    from {{ ref('int_transfer__unobserved') }}
),

vouched as (
    select
        paid.lot_key,
        min(paid.first_date) as first_date,
        max(case paid.kind_code
            when 'MILLING' then 'TAILINGS'
            when 'ORE_AT_PIT' then 'PIT'
            when 'CONCENTRATE' then 'PRODUCT'
            when 'EXPORT' then 'PRODUCT'
        end) as paid_kind_code,
        min(paid.product_form_code) as product_form_code,
        max(paid.mass_wmt) as mass_wmt,
        max(paid.mass_dmt) as mass_dmt,
        max(paid.cu_pct) as cu_pct,
        max(paid.copper_g) as copper_g,
        min(paid.operator_key) as operator_key,
        min(paid.reinfo_key) as reinfo_key,
        paid.is_synthetic
    from paid
    left join {{ ref('dim_lot') }} as lots
        on paid.lot_key = lots.lot_key and paid.is_synthetic = lots.is_synthetic
    where lots.lot_key is null
    group by paid.lot_key, paid.is_synthetic
),

known as (
    select
        lot_key,
        lot_kind_code,
        product_form_code,
        first_date,
        mass_wmt,
        mass_dmt,
        cu_pct,
        copper_g,
        operator_key,
        reinfo_key,
        origin_ubigeo_code,
        department_code,
        plant_key,
        is_origin,
        is_synthetic
    from {{ ref('dim_lot') }}

    union all

    select
        vouched.lot_key,
        coalesce(patterns.lot_kind_code, vouched.paid_kind_code, 'LOAD') as lot_kind_code,
        vouched.product_form_code,
        vouched.first_date,
        vouched.mass_wmt,
        vouched.mass_dmt,
        vouched.cu_pct,
        vouched.copper_g,
        vouched.operator_key,
        vouched.reinfo_key,
        null as origin_ubigeo_code,
        null as department_code,
        null as plant_key,
        true as is_origin,
        vouched.is_synthetic
    from vouched
    left join {{ ref('lot_code_patterns') }} as patterns
        on {{ matches('vouched.lot_key', 'patterns.pattern') }}
),

lots as (
    select
        known.*,
        coalesce(known.product_form_code, '--') as form_code,
        coalesce(bands.grade_band_code, '--') as grade_band_code,
        {{ registration_state('known.reinfo_key') }} as registry_state
    from known
    left join {{ ref('copper_grade_bands') }} as bands
        on known.cu_pct >= bands.cu_from_pct and known.cu_pct < bands.cu_below_pct
    {{ standing_on('known', 'reinfo_key', 'first_date') }}
),

measured as (
    select
        'LOT_MASS' as kind_code,
        'LOT' as base_code,
        mass_wmt as amount,
        1 as base,
        *
    from lots
    where lot_kind_code <> 'TAILINGS'

    union all

    select
        'LOT_COPPER' as kind_code,
        'WMT' as base_code,
        cast(copper_g as decimal(18, 0)) * 0.001 as amount,
        mass_wmt as base,
        *
    from lots
    where lot_kind_code <> 'TAILINGS'
),

featured as (
    select
        kind_code,
        base_code,
        lot_key,
        lot_kind_code as feature_1,
        form_code as feature_2,
        coalesce(department_code, '--') as feature_3,
        '--' as feature_4,
        amount,
        base,
        is_synthetic
    from measured
),

{{ ratio_cells('featured') }},

wanted as (
    select * from featured
    where amount is null
),

{{ ranged_by_cells('wanted', 'cells') }},

masses as (
    select * from ranged
    where kind_code = 'LOT_MASS'
),

coppers as (
    select * from ranged
    where kind_code = 'LOT_COPPER'
)

select
    lots.lot_key,
    lots.lot_kind_code,
    lots.is_origin,
    lots.product_form_code,
    lots.form_code,
    lots.grade_band_code,
    lots.department_code,
    lots.origin_ubigeo_code,
    lots.plant_key,
    lots.operator_key,
    lots.reinfo_key,
    lots.registry_state,
    lots.first_date,
    lots.mass_wmt,
    lots.mass_dmt,
    lots.copper_g,
    {% for side in ['central', 'low', 'high'] -%}
        cast(coalesce(lots.mass_wmt, masses.{{ side }}_ratio) as decimal(14, 6)) as mass_{{ side }}_wmt,
        coalesce(
            {{ tonnes_of('lots.copper_g') }},
            cast(
                {{ wide('coppers.' ~ side ~ '_ratio') }} * coalesce(lots.mass_wmt, masses.{{ side }}_ratio) * 0.001
                as decimal(18, 6)
            )
        ) as copper_{{ side }}_t,
    {% endfor -%}
    lots.is_synthetic
from lots
left join masses
    on lots.lot_key = masses.lot_key and lots.is_synthetic = masses.is_synthetic
left join coppers
    on lots.lot_key = coppers.lot_key and lots.is_synthetic = coppers.is_synthetic
