{{ config(schema="intermediate", materialized="table") }}

-- The lot that every party's lot id means. Every model of lots reads ids of papers through this one.
{% set papers = [
    ('stg_partner_weigh_tickets__tickets', 'weighing_party_key'),
    ('stg_partner_assays__certificates', 'laboratory_key'),
    ('stg_partner_settlements__settlements', 'buyer_key'),
    ('stg_partner_campaigns__lines', 'plant_key'),
    ('stg_partner_exports__lines', 'exporter_key'),
] %}
{% for paper, party in papers -%}
select
    {{ party }} as party_key,
    lot_id,
    lot_id as lot_key,
    is_synthetic
from {{ ref(paper) }}
where lot_id is not null
{% if not loop.last %}union{% endif %}
{% endfor -%}
