-- What a line says, by its mask: one row for each mask of the lines. Patterns are tried here, on a few masks
-- (document_patterns); the places found are cut out of the texts themselves in int_document__read.
with masks as (
    select distinct {{ masked('item_description') }} as masked_text
    from {{ ref('stg_sunat_documents__lines') }}
    where item_description is not null
),

found as (
    select
        masks.masked_text,
        patterns.pattern_order,
        patterns.use_code,
        patterns.subject_code,
        patterns.product_form_code,
        case
            when patterns.use_code <> 'SUBJECT' then regexp_extract(masks.masked_text, patterns.pattern, 1)
        end as said
    from masks
    inner join {{ ref('document_patterns') }} as patterns
        on {{ matches('masks.masked_text', 'patterns.pattern') }}
),

subjects as (
    select
        masked_text,
        min(pattern_order) as pattern_order
    from found
    where use_code = 'SUBJECT'
    group by masked_text
)

select
    masks.masked_text,
    subjects.pattern_order,
    kinds.subject_code,
    kinds.product_form_code,
    instr(masks.masked_text, lots.said) as lot_at,
    length(lots.said) as lot_length,
    codes.lot_kind_code,
    -- What was found reaches to the end of the text.
    length(masks.masked_text) - length(lasts.said) + 1 as last_lot_at,
    instr(masks.masked_text, firsts.said) as first_at,
    length(firsts.said) as first_length
from masks
left join subjects on masks.masked_text = subjects.masked_text
left join {{ ref('document_patterns') }} as kinds on subjects.pattern_order = kinds.pattern_order
left join found as lots on masks.masked_text = lots.masked_text and lots.use_code = 'LOT'
left join {{ ref('lot_code_patterns') }} as codes on {{ matches('lots.said', 'codes.pattern') }}
left join found as lasts on masks.masked_text = lasts.masked_text and lasts.use_code = 'LAST_LOT'
left join found as firsts on masks.masked_text = firsts.masked_text and firsts.use_code = 'FIRST_VOUCHER'
