-- What the ore of each producer adds to the published chain of custody, by month of the plant and department of
-- origin: the copper that plants fed, by how the producer's own registration stood on the day of the waybill. The
-- buyer is the plant. All whose producer no paper tells are one holding: they may be one producer's. Parties' keys:
-- nothing of this is published.
{% set classes = {'GOOD': 'good_standing_g', 'NOT_GOOD': 'no_good_standing_g', 'UNKNOWN': 'not_known_g'} %}
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
    coalesce(pieces.producer_key, '--') as holding_key,
    plants.party_key as buyer_key,
    {% for code, measure in classes.items() -%}
        cast(sum(case when pieces.own_standing_code = '{{ code }}' then pieces.copper_g else 0 end) as bigint)
            as {{ measure }},
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
    coalesce(origins.department_code, '--'), plants.month, coalesce(pieces.producer_key, '--'), plants.party_key,
    plants.is_synthetic
