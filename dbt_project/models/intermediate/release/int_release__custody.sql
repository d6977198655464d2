-- What the ore of each producer adds to the published chain of custody, by month of the plant and department of origin: the
-- copper that plants fed, by class of custody. The buyer is the plant. Parties' keys: nothing of this is published.
{% set classes = [
    'GOOD_STANDING', 'NO_GOOD_STANDING', 'BLEND_DIFFERS', 'OTHERS_REGISTRATION', 'NOT_TOLD', 'NOT_TRACED'
] %}
with plants as (
    select distinct
        scope_code,
        batch_key,
        party_key,
        month,
        is_synthetic
    from {{ ref('int_custody__batches') }}
    where scope_code = 'PLANT_MONTH'
)

select
    coalesce(origins.department_code, '--') as ubigeo_code,
    cast(plants.month as date) as month,
    coalesce(pieces.producer_key, pieces.origin_lot_key, pieces.lot_key) as holding_key,
    plants.party_key as buyer_key,
    {% for code in classes -%}
        cast(sum(case when pieces.class_code = '{{ code }}' then pieces.copper_g else 0 end) as bigint)
            as {{ code | lower }}_g,
    {% endfor -%}
    plants.is_synthetic
from {{ ref('int_custody__pieces') }} as pieces
inner join plants
    on
        pieces.scope_code = plants.scope_code
        and pieces.batch_key = plants.batch_key
        and pieces.is_synthetic = plants.is_synthetic
left join {{ ref('dim_lot') }} as origins
    on pieces.origin_lot_key = origins.lot_key and pieces.is_synthetic = origins.is_synthetic
group by
    coalesce(origins.department_code, '--'), plants.month,
    coalesce(pieces.producer_key, pieces.origin_lot_key, pieces.lot_key), plants.party_key, plants.is_synthetic
