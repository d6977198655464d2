-- Copper of every haul of ore: by the certificates of its lot, else by the quantiles of its form. Low and high take the
-- least and the most of moisture, grade and recovery at once: bounds, wider than what chance alone would give.
with graded as (
    select
        hauls.*,
        -- wide, so that the products below fit
        cast(hauls.mass_wmt as decimal(38, 6)) as mass_t,
        case when lots.lot_key is not null then 'ASSAYED' when forms.load_count is not null then 'IMPUTED' end
            as grade_basis_code,
        coalesce(lots.cu_low_pct, forms.cu_low_pct) as cu_low_pct,
        coalesce(lots.cu_pct, forms.cu_pct) as cu_pct,
        coalesce(lots.cu_high_pct, forms.cu_high_pct) as cu_high_pct,
        coalesce(lots.moisture_low_pct, forms.moisture_low_pct) as moisture_low_pct,
        coalesce(lots.moisture_pct, forms.moisture_pct) as moisture_pct,
        coalesce(lots.moisture_high_pct, forms.moisture_high_pct) as moisture_high_pct,
        bounds.low_value as recovery_low_frac,
        recoveries.recovery_frac,
        bounds.high_value as recovery_high_frac
    from {{ ref('int_copper__hauls') }} as hauls
    left join {{ ref('int_copper__lot_grades') }} as lots
        on hauls.lot_key = lots.lot_key and hauls.is_synthetic = lots.is_synthetic
    left join {{ ref('int_copper__form_grades') }} as own_form
        on hauls.product_form_code = own_form.product_form_code and hauls.is_synthetic = own_form.is_synthetic
    -- a form that no certificate shows, or no form at all: all forms together
    left join {{ ref('int_copper__form_grades') }} as forms
        on
            coalesce(own_form.product_form_code, '') = coalesce(forms.product_form_code, '')
            and hauls.is_synthetic = forms.is_synthetic
    left join {{ ref('ref_copper_recovery') }} as recoveries
        on coalesce(hauls.product_form_code, '--') = recoveries.product_form_code
    left join {{ ref('ref_copper_assumption') }} as bounds
        on
            coalesce(hauls.product_form_code, '--') = bounds.product_form_code
            and bounds.assumption_code = 'RECOVERY'
)

select
    source_code,
    evidence_key,
    haul_date,
    department_code,
    lot_key,
    product_form_code,
    mass_wmt,
    grade_basis_code,
    cast(mass_t * (100 - moisture_high_pct) * cu_low_pct / 10000 as decimal(24, 9)) as contained_low_t,
    cast(mass_t * (100 - moisture_pct) * cu_pct / 10000 as decimal(24, 9)) as contained_t,
    cast(mass_t * (100 - moisture_low_pct) * cu_high_pct / 10000 as decimal(24, 9)) as contained_high_t,
    recovery_low_frac,
    recovery_frac,
    recovery_high_frac,
    is_synthetic,
    landing_sha256,
    row_number
from graded
