-- What the lot ledger takes a plant to recover lies within the bounds by which it is published.
select
    bounds.product_form_code,
    bounds.low_value,
    recoveries.recovery_frac,
    bounds.high_value
from {{ ref('ref_copper_assumption') }} as bounds
left join {{ ref('ref_copper_recovery') }} as recoveries
    on bounds.product_form_code = recoveries.product_form_code
where
    bounds.assumption_code = 'RECOVERY'
    and coalesce(
        recoveries.recovery_frac < bounds.low_value or recoveries.recovery_frac > bounds.high_value, true
    )
