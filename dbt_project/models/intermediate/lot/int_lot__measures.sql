-- Every lot's mass and copper, with bounds where the papers do not tell them, and the features by which lots are compared.
-- A mass that is not told is imputed from lots of its kind and form, copper from the mass and what a wet tonne of such
-- lots holds. The registration's state is that of the lot's day, as the registry showed it then.
with lots as (
    select
        lots.*,
        coalesce(lots.product_form_code, '--') as form_code,
        coalesce(bands.grade_band_code, '--') as grade_band_code,
        case
            when lots.reinfo_key is null then 'SIN_INSCRIPCION'
            else coalesce(registrations.registry_state, 'SIN_ESTADO')
        end as registry_state
    from {{ ref('dim_lot') }} as lots
    left join {{ ref('copper_grade_bands') }} as bands
        on lots.cu_pct >= bands.cu_from_pct and lots.cu_pct < bands.cu_below_pct
    left join {{ ref('dim_registration') }} as registrations
        on
            lots.reinfo_key = registrations.registration_key
            and lots.is_synthetic = registrations.is_synthetic
            and lots.first_date >= registrations.valid_from
            and lots.first_date < coalesce(registrations.valid_to, date '9999-12-31')
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
    cast(coalesce(
        {{ tonnes_of('lots.copper_g') }},
        {{ wide('coppers.' ~ side ~ '_ratio') }} * coalesce(lots.mass_wmt, masses.{{ side }}_ratio) * 0.001
    ) as decimal(18, 6)) as copper_{{ side }}_t,
    {% endfor -%}
    lots.is_synthetic
from lots
left join masses
    on lots.lot_key = masses.lot_key and lots.is_synthetic = masses.is_synthetic
left join coppers
    on lots.lot_key = coppers.lot_key and lots.is_synthetic = coppers.is_synthetic
