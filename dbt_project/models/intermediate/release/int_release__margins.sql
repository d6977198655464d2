-- What the lots of each operator add to the published margins, by month and department of origin: what every link
-- received and paid, of lots followed to a paid export. The buyer is the plant that worked the lot. All whose operator
-- no paper tells are one holding: they may be one operator's. Parties' keys: nothing of this is published.
{% set links = {
    'OPERATOR': true, 'CONCESSION_HOLDER': false, 'COLLECTOR': true, 'BILLER': false, 'HAULIER': false,
    'LABORATORY': false, 'PLANT': true, 'TRADER': true,
} %}
with links as (
    select
        lot_key,
        {% for link, pays in links.items() -%}
            sum(case when link_code = '{{ link }}' then revenue_usd else 0 end) as {{ link | lower }}_received_usd,
            {% if pays -%}
                sum(case when link_code = '{{ link }}' then purchases_usd else 0 end) as {{ link | lower }}_paid_usd,
            {% endif -%}
        {% endfor -%}
        is_synthetic
    from {{ ref('fct_lot_link_margin') }}
    where is_complete
    group by lot_key, is_synthetic
)

select
    coalesce(bridge.department_code, '--') as ubigeo_code,
    cast(date_trunc('month', bridge.reference_date) as date) as month,
    coalesce(bridge.operator_key, '--') as holding_key,
    lots.plant_key as buyer_key,
    {% for link, pays in links.items() -%}
        cast(sum(links.{{ link | lower }}_received_usd) as decimal(18, 2)) as {{ link | lower }}_received_usd,
        {% if pays -%}
            cast(sum(links.{{ link | lower }}_paid_usd) as decimal(18, 2)) as {{ link | lower }}_paid_usd,
        {% endif -%}
    {% endfor -%}
    cast(sum(bridge.fob_usd + bridge.fob_imputed_usd) as decimal(18, 2)) as fob_usd,
    cast(sum(bridge.lme_contained_usd) as decimal(18, 2)) as lme_contained_usd,
    cast(sum(bridge.copper_t) as decimal(18, 3)) as copper_t,
    bridge.is_synthetic
from {{ ref('fct_lot_value_bridge') }} as bridge
inner join links
    on bridge.lot_key = links.lot_key and bridge.is_synthetic = links.is_synthetic
inner join {{ ref('dim_lot') }} as lots
    on bridge.lot_key = lots.lot_key and bridge.is_synthetic = lots.is_synthetic
where bridge.is_complete and bridge.reference_date is not null
group by
    coalesce(bridge.department_code, '--'), date_trunc('month', bridge.reference_date),
    coalesce(bridge.operator_key, '--'), lots.plant_key, bridge.is_synthetic
