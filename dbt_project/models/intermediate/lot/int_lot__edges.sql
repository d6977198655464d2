-- Copper that passed from one lot to another in a campaign or heap, in whole grams: what a lot won goes to the
-- products by their copper, the rest to the tailings by theirs. What a lot gives and what a lot takes both add up to
-- the gram. mass_g is the part of the taking lot's dry mass that goes with the copper.
with gives as (
    select
        campaign_key,
        lot_key,
        'PRODUCT' as stream_code,
        won_g as copper_g,
        allocation_method_code,
        is_synthetic
    from {{ ref('int_lot__won') }}
    where won_g > 0
    union all
    select
        campaign_key,
        lot_key,
        'TAILINGS' as stream_code,
        copper_g - won_g as copper_g,
        allocation_method_code,
        is_synthetic
    from {{ ref('int_lot__won') }}
    where copper_g > won_g
),

takes as (
    select
        lines.campaign_key,
        lines.lot_key,
        lines.stream_code,
        sum(lines.copper_g) as copper_g,
        sum(lines.mass_g) as mass_g,
        lines.is_synthetic
    from {{ ref('int_lot__batch_lines') }} as lines
    where lines.stream_code <> 'FEED' and lines.copper_g > 0
    group by lines.campaign_key, lines.lot_key, lines.stream_code, lines.is_synthetic
    union all
    select
        campaign_key,
        rest_lot_key as lot_key,
        'TAILINGS' as stream_code,
        lost_g as copper_g,
        cast(null as bigint) as mass_g,
        is_synthetic
    from {{ ref('int_lot__balances') }}
    where lost_g > 0
),

pairs as (
    select
        gives.campaign_key,
        gives.stream_code,
        gives.lot_key as from_lot_key,
        takes.lot_key as to_lot_key,
        gives.copper_g as given_g,
        takes.copper_g as taken_g,
        takes.mass_g as taken_mass_g,
        sum(takes.copper_g) over giver as stream_g,
        gives.allocation_method_code,
        gives.is_synthetic
    from gives
    inner join takes
        on
            gives.campaign_key = takes.campaign_key
            and gives.stream_code = takes.stream_code
            and gives.is_synthetic = takes.is_synthetic
    window giver as (partition by gives.campaign_key, gives.stream_code, gives.lot_key, gives.is_synthetic)
),

cut as (
    select
        *,
        {{ whole_part('given_g', 'taken_g', 'stream_g') }} as cut_g
    from pairs
),

-- What whole grams leave over, of givers and of takers, each laid out in a row with the largest first: a pair gets the
-- stretch that both have in common, so both sides come out exact.
left_over as (
    select
        *,
        given_g - sum(cut_g) over giver as given_left_g,
        taken_g - sum(cut_g) over taker as taken_left_g
    from cut
    window
        giver as (partition by campaign_key, stream_code, from_lot_key, is_synthetic),
        taker as (partition by campaign_key, stream_code, to_lot_key, is_synthetic)
),

laid_out as (
    select
        *,
        sum(given_left_g) over (
            partition by campaign_key, stream_code, to_lot_key, is_synthetic
            order by given_g desc, from_lot_key asc
            rows between unbounded preceding and current row
        ) as given_until_g,
        sum(taken_left_g) over (
            partition by campaign_key, stream_code, from_lot_key, is_synthetic
            order by taken_g desc, to_lot_key asc
            rows between unbounded preceding and current row
        ) as taken_until_g
    from left_over
),

exact as (
    select
        *,
        cast(cut_g + greatest(
            least(given_until_g, taken_until_g)
            - greatest(given_until_g - given_left_g, taken_until_g - taken_left_g), 0
        ) as bigint) as copper_g
    from laid_out
),

cumulated as (
    select
        *,
        sum(copper_g) over (
            partition by campaign_key, stream_code, to_lot_key, is_synthetic
            order by from_lot_key
            rows between unbounded preceding and current row
        ) as upto_g
    from exact
    where copper_g > 0
)

select
    from_lot_key,
    to_lot_key,
    campaign_key,
    stream_code,
    copper_g,
    {{ whole_part('taken_mass_g', 'upto_g', 'taken_g') }}
    - {{ whole_part('taken_mass_g', '(upto_g - copper_g)', 'taken_g') }} as mass_g,
    allocation_method_code,
    is_synthetic
from cumulated
