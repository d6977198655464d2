-- Every document of the chain with the lot of its fact and how that is known: one row per document. NAMED and KEY as in
-- int_document__keyed; SCORED, the best of its candidates, one to one and greedily by score; null where nothing was
-- found. A voucher that corrects another one shares its lot.
with pairs as (
    select * from {{ ref('int_document__candidates') }}
),

{{ one_to_one(
    'scored', 'pairs', ['document_key', 'is_synthetic'], ['kind_code', 'lot_key', 'block_buyer', 'is_synthetic']
) }}

select
    keyed.document_key,
    keyed.kind_code,
    keyed.part_code,
    keyed.first_document_key,
    keyed.haul_key,
    coalesce(keyed.lot_key, scored.lot_key, firsts.lot_key) as lot_key,
    coalesce(
        keyed.method_code, case when coalesce(scored.lot_key, firsts.lot_key) is not null then 'SCORED' end
    ) as method_code,
    case
        when keyed.method_code is not null then cast(1 as decimal(5, 4)) else coalesce(scored.score, firsts.score)
    end as match_score,
    keyed.several_code,
    keyed.is_synthetic
from {{ ref('int_document__keyed') }} as keyed
left join scored
    on keyed.document_key = scored.document_key and keyed.is_synthetic = scored.is_synthetic
left join scored as firsts
    on keyed.first_document_key = firsts.document_key and keyed.is_synthetic = firsts.is_synthetic
