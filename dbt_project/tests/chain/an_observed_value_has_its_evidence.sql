-- An observed transfer rests on at least one row of a source, and its bounds are its value; what is provisional lies
-- within its bounds.
select transfers.transfer_key, transfers.kind_code, transfers.value_basis_code
from {{ ref('fct_transfer') }} as transfers
left join {{ ref('int_transfer__evidence') }} as evidence
    on transfers.transfer_key = evidence.transfer_key and transfers.is_synthetic = evidence.is_synthetic
where
    transfers.value_basis_code = 'observed'
    and (
        evidence.transfer_key is null
        or transfers.value_usd < transfers.value_low_usd
        or transfers.value_usd > transfers.value_high_usd
        or (
            not transfers.is_provisional
            and (
                transfers.value_low_usd <> transfers.value_usd
                or transfers.value_high_usd <> transfers.value_usd
            )
        )
    )
