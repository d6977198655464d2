-- Every lot with its kind, dry mass and copper: those on paper, and those that campaigns' balances leave over
-- (tailings by difference, UNACCOUNTED copper). The kind is told by what made the lot, else by where it went and by
-- its form.
with roles as (
    select
        lot_key,
        bool_or(stream_code = 'TAILINGS') as is_tailings,
        bool_or(line_kind_code in ('STOCK_INICIAL', 'STOCK_FINAL')) as is_stock,
        bool_or(stream_code = 'PRODUCT' and not is_heap) as is_plant_made,
        bool_or(stream_code = 'PRODUCT' and is_heap) as is_heap_made,
        bool_or(stream_code = 'FEED' and not is_heap) as is_plant_fed,
        bool_or(stream_code = 'FEED' and is_heap) as is_heap_fed,
        is_synthetic
    from {{ ref('int_lot__batch_lines') }}
    group by lot_key, is_synthetic
)

select
    books.lot_key,
    case
        when roles.is_tailings then 'TAILINGS'
        when roles.is_stock then 'STOCK'
        when roles.is_plant_made or books.product_form_code in ('CONCENTRADO', 'CEMENTO', 'CATODO') then 'PRODUCT'
        when roles.is_heap_made or roles.is_plant_fed then 'LOAD'
        when roles.is_heap_fed or books.plant_key is null then 'PIT'
        else 'LOAD'
    end as lot_kind_code,
    books.mass_g,
    books.copper_g,
    books.mass_evidence_code,
    books.first_date,
    books.plant_key,
    books.is_synthetic
from {{ ref('int_lot__books') }} as books
left join roles
    on books.lot_key = roles.lot_key and books.is_synthetic = roles.is_synthetic

union all

select
    rest_lot_key as lot_key,
    rest_kind_code as lot_kind_code,
    cast(null as bigint) as mass_g,
    gained_g + lost_g as copper_g,
    'BALANCE' as mass_evidence_code,
    ended_date as first_date,
    plant_key,
    is_synthetic
from {{ ref('int_lot__balances') }}
where gained_g + lost_g > 0
