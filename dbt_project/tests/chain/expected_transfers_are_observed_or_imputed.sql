-- What the papers lead us to expect has a value: observed, or imputed with bounds.
select
    unobserved.kind_code,
    unobserved.lot_key
from {{ ref('int_transfer__unobserved') }} as unobserved
left join {{ ref('fct_transfer') }} as transfers
    on
        unobserved.kind_code = transfers.kind_code
        and unobserved.lot_key = transfers.lot_key
        and unobserved.is_synthetic = transfers.is_synthetic
where transfers.lot_key is null
