-- Lines of the documents; they follow the newest file of their document.
select
    document_key,
    line_number,
    line_ordinal,
    item_description,
    quantity,
    quantity_unit_code,
    unit_price_amount,
    line_extension_amount,
    igv_amount,
    product_code_sunat,
    item_properties,
    {{ lineage() }},
    {{ is_current(['document_key']) }} as is_current
from {{ source('raw', 'sunat_documents__lines') }}
