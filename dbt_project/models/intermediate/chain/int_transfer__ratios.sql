-- Cells of what was observed: amounts over their base, and between which bounds the next one lies (macro ratio_cells).
with seen as (
    select * from {{ ref('int_transfer__based') }}
    where amount is not null
),

{{ ratio_cells('seen') }}

select * from cells
