-- How much of its copper a plant recovers of every lot that was fed: by the lot's soluble copper where an assay tells
-- it, else what is usual of such ore (recovery_frac), with the bounds between which it lies if the lot is like the
-- assayed ones of its form. What heaps are fed is not treated, so nothing is asked of it.
with lots as (
    select
        lot_key,
        coalesce(product_form_code, '--') as form_code,
        soluble_frac,
        is_synthetic
    from {{ ref('int_lot__books') }}
    where fed_copper_g > 0
),

seen as (
    select
        concat('SOLUBLE/', form_code) as kind_code,
        'COPPER' as base_code,
        '--' as feature_1,
        '--' as feature_2,
        '--' as feature_3,
        '--' as feature_4,
        soluble_frac as amount,
        1 as base,
        is_synthetic
    from lots
    where soluble_frac is not null
),

{{ ratio_cells('seen') }},

wanted as (
    select distinct
        concat('SOLUBLE/', lots.form_code) as kind_code,
        'COPPER' as base_code,
        lots.lot_key,
        '--' as feature_1,
        '--' as feature_2,
        '--' as feature_3,
        '--' as feature_4,
        lots.is_synthetic
    from lots
    inner join {{ ref('int_lot__batch_lines') }} as lines
        on
            lots.lot_key = lines.lot_key
            and lots.is_synthetic = lines.is_synthetic
            and lines.stream_code = 'FEED'
            and not lines.is_heap
    where lots.soluble_frac is null
),

{{ ranged_by_cells('wanted', 'cells') }},

told as (
    select
        lots.lot_key,
        usual.recovery_frac as usual_frac,
        usual.insoluble_recovery_frac,
        usual.soluble_recovery_frac - usual.insoluble_recovery_frac as soluble_gain_frac,
        lots.soluble_frac,
        ranged.low_ratio as soluble_low_frac,
        case when ranged.high_ratio > 1 then 1 else ranged.high_ratio end as soluble_high_frac,
        lots.is_synthetic
    from lots
    inner join {{ ref('ref_copper_recovery') }} as usual
        on lots.form_code = usual.product_form_code
    left join ranged
        on lots.lot_key = ranged.lot_key and lots.is_synthetic = ranged.is_synthetic
),

recovered as (
    select
        lot_key,
        usual_frac,
        insoluble_recovery_frac + soluble_gain_frac * soluble_frac as told_frac,
        insoluble_recovery_frac + soluble_gain_frac * soluble_low_frac as one_end_frac,
        insoluble_recovery_frac + soluble_gain_frac * soluble_high_frac as other_end_frac,
        is_synthetic
    from told
)

select
    lot_key,
    cast(coalesce(told_frac, usual_frac) as decimal(16, 12)) as recovery_frac,
    cast(coalesce(told_frac, least(usual_frac, one_end_frac, other_end_frac)) as decimal(16, 12)) as recovery_low_frac,
    cast(coalesce(told_frac, greatest(usual_frac, one_end_frac, other_end_frac)) as decimal(16, 12))
        as recovery_high_frac,
    is_synthetic
from recovered
