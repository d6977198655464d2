-- Lines of plants' campaigns and collectors' heaps, one row each, in whole grams: FEED is what went in, PRODUCT what
-- came out to be sold or fed again (closing stocks too), TAILINGS the rest. A line without a lot code has a lot of its
-- own.
with lines as (
    select
        *,
        concat(left(plant_key, 8), '-', campaign_id) as campaign_key
    from {{ ref('stg_partner_campaigns__lines') }}
    where is_current
)

select
    lines.campaign_key,
    lines.plant_key,
    lines.campaign_id,
    lines.line_number,
    lines.contract_kind_code,
    lines.contract_kind_code = 'MEZCLA' as is_heap,
    lines.started_date,
    lines.ended_date,
    lines.line_kind_code,
    case
        when lines.line_kind_code in ('ALIMENTACION', 'STOCK_INICIAL') then 'FEED'
        when lines.line_kind_code = 'RELAVE' then 'TAILINGS'
        else 'PRODUCT'
    end as stream_code,
    coalesce(codes.lot_key, concat(lines.campaign_key, '-', lines.line_number)) as lot_key,
    lines.product_form_code,
    cast(lines.mass_dmt * 1000000 as bigint) as mass_g,
    cast(lines.copper_kg * 1000 as bigint) as copper_g,
    lines.landing_sha256,
    lines.row_number,
    lines.is_synthetic
from lines
left join {{ ref('int_lot__codes') }} as codes
    on
        lines.plant_key = codes.party_key
        and lines.lot_id = codes.lot_id
        and lines.is_synthetic = codes.is_synthetic
