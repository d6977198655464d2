-- Lines of plants' campaigns and collectors' heaps, one row each, in whole grams: FEED is what went in, PRODUCT what
-- came out to be sold or fed again (closing stocks too), TAILINGS the rest. A line without a lot code has a lot of its
-- own. A campaign goes by the lot of its tailings (campaign_lot_key), told by a line or not; a heap leaves none.
with lines as (
    select
        *,
        concat(left(plant_key, 8), '-', campaign_id) as campaign_key
    from {{ ref('stg_partner_campaigns__lines') }}
    where is_current
),

coded as (
    select
        lines.*,
        lines.contract_kind_code = 'MEZCLA' as is_heap,
        case
            when lines.line_kind_code in ('ALIMENTACION', 'STOCK_INICIAL') then 'FEED'
            when lines.line_kind_code = 'RELAVE' then 'TAILINGS'
            else 'PRODUCT'
        end as stream_code,
        coalesce(codes.lot_key, concat(lines.campaign_key, '-', lines.line_number)) as lot_key
    from lines
    left join {{ ref('int_lot__codes') }} as codes
        on
            lines.plant_key = codes.party_key
            and lines.lot_id = codes.lot_id
            and lines.is_synthetic = codes.is_synthetic
)

select
    campaign_key,
    plant_key,
    campaign_id,
    line_number,
    contract_kind_code,
    is_heap,
    started_date,
    ended_date,
    line_kind_code,
    stream_code,
    lot_key,
    case
        when not is_heap
            then coalesce(
                min(case when stream_code = 'TAILINGS' then lot_key end) over (
                    partition by campaign_key, is_synthetic
                ),
                concat('R-', campaign_key)
            )
    end as campaign_lot_key,
    product_form_code,
    cast(mass_dmt * 1000000 as bigint) as mass_g,
    cast(copper_kg * 1000 as bigint) as copper_g,
    landing_sha256,
    row_number,
    is_synthetic
from coded
