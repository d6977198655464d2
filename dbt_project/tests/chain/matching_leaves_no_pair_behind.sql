-- The greedy choice goes on until no pair is left of which both sides are free.
with chosen as (
    select * from {{ ref('int_document__matched') }}
    where method_code = 'SCORED' and part_code = 'SALE'
)

select pairs.document_key, pairs.kind_code, pairs.lot_key, pairs.score
from {{ ref('int_document__candidates') }} as pairs
left join chosen as of_document
    on pairs.document_key = of_document.document_key and pairs.is_synthetic = of_document.is_synthetic
left join chosen as of_lot
    on
        pairs.kind_code = of_lot.kind_code
        and pairs.lot_key = of_lot.lot_key
        and pairs.is_synthetic = of_lot.is_synthetic
where of_document.document_key is null and of_lot.document_key is null
