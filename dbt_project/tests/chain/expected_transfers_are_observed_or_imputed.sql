-- What the papers lead us to expect has a value: observed, or imputed with bounds.
select
    expected.kind_code,
    expected.lot_key
from {{ ref('int_transfer__expected') }} as expected
left join {{ ref('fct_transfer') }} as transfers
    on
        expected.kind_code = transfers.kind_code
        and expected.lot_key = transfers.lot_key
        and expected.is_synthetic = transfers.is_synthetic
where not expected.is_observed and transfers.lot_key is null
