-- Copper of each campaign and heap: what went in, what came out, and what is unaccounted for. Nothing is forced to
-- balance: copper that came out and never went in is an origin of its own, copper that went in and never came out an
-- end of its own, both a lot UNACCOUNTED. A plant that tells no tailings has them by difference. Where no feed, or
-- nothing but feed, is told (is_whole false) nothing is unaccounted for: the papers are not all there.
with lines as (
    select
        campaign_key,
        min(plant_key) as plant_key,
        min(campaign_id) as campaign_id,
        min(campaign_lot_key) as campaign_lot_key,
        min(contract_kind_code) as contract_kind_code,
        bool_and(is_heap) as is_heap,
        min(started_date) as started_date,
        max(ended_date) as ended_date,
        coalesce(sum(copper_g) filter (where stream_code = 'PRODUCT'), 0) as product_g,
        coalesce(sum(copper_g) filter (where stream_code = 'TAILINGS'), 0) as tailings_g,
        bool_or(stream_code = 'TAILINGS') as is_tailings_told,
        bool_or(stream_code <> 'FEED') as is_output_told,
        is_synthetic
    from {{ ref('int_lot__batch_lines') }}
    group by campaign_key, is_synthetic
),

fed as (
    select
        campaign_key,
        sum(line_copper_g) as line_copper_g,
        sum(copper_g) as copper_g,
        is_synthetic
    from {{ ref('int_lot__fed') }}
    group by campaign_key, is_synthetic
),

summed as (
    select
        lines.*,
        coalesce(fed.line_copper_g, 0) as fed_line_g,
        coalesce(fed.copper_g, 0) as fed_g,
        fed.copper_g > 0 and lines.is_output_told as is_whole,
        not lines.is_heap and not lines.is_tailings_told as is_rest_tailings
    from lines
    left join fed
        on lines.campaign_key = fed.campaign_key and lines.is_synthetic = fed.is_synthetic
)

select
    campaign_key,
    plant_key,
    campaign_id,
    campaign_lot_key,
    contract_kind_code,
    is_heap,
    started_date,
    ended_date,
    cast(fed_line_g as bigint) as fed_line_g,
    cast(fed_g as bigint) as fed_g,
    cast(product_g as bigint) as product_g,
    cast(tailings_g as bigint) as tailings_g,
    coalesce(is_whole, false) as is_whole,
    cast(case when is_whole then greatest(product_g + tailings_g - fed_g, 0) else 0 end as bigint) as gained_g,
    cast(case when is_whole then greatest(fed_g - product_g - tailings_g, 0) else 0 end as bigint) as lost_g,
    case
        when is_rest_tailings and fed_g > product_g then campaign_lot_key else concat('U-', campaign_key)
    end as rest_lot_key,
    case when is_rest_tailings and fed_g > product_g then 'TAILINGS' else 'UNACCOUNTED' end as rest_kind_code,
    is_output_told and case
        when product_g + tailings_g > fed_line_g then true
        else not is_rest_tailings
    end and abs(product_g + tailings_g - fed_line_g) > fed_line_g * {{ lot_rule('CAMPAIGN_TOLERANCE_FRAC') }}
        as is_out_of_balance,
    is_synthetic
from summed
