-- How much of the copper that each lot gave to a campaign went on with the products (won_g); the rest is in the
-- tailings. The products' copper is shared over the feed by the method of var allocation_method: RECOVERABLE, by the
-- copper that a plant recovers of such ore (int_lot__recoveries); MASS, by dry mass; VALUE, by what was paid for the
-- lot. No lot wins more than it gave. A heap treats nothing: what it lacks all its lots lack alike (COPPER). won_low_g
-- and won_high_g are what it would be if the recovery lay at its bounds, and those of the other lots at their opposite
-- ones.
with fed as (
    select
        fed.campaign_key,
        fed.lot_key,
        fed.mass_g,
        fed.copper_g,
        books.value_usd * (cast(fed.copper_g as double) / nullif(books.copper_g, 0)) as value_usd,
        recoveries.recovery_frac,
        recoveries.recovery_low_frac,
        recoveries.recovery_high_frac,
        campaigns.is_heap,
        fed.is_synthetic
    from {{ ref('int_lot__fed') }} as fed
    inner join {{ ref('int_lot__balances') }} as campaigns
        on fed.campaign_key = campaigns.campaign_key and fed.is_synthetic = campaigns.is_synthetic
    inner join {{ ref('int_lot__books') }} as books
        on fed.lot_key = books.lot_key and fed.is_synthetic = books.is_synthetic
    inner join {{ ref('int_lot__recoveries') }} as recoveries
        on fed.lot_key = recoveries.lot_key and fed.is_synthetic = recoveries.is_synthetic
),

priced as (
    select
        *,
        sum(value_usd) over (partition by campaign_key, is_synthetic)
        / nullif(
            sum(case when value_usd is not null then copper_g end) over (partition by campaign_key, is_synthetic), 0
        ) as usd_per_g
    from fed
),

-- Whole numbers, so that their sums do not depend on an order.
weighed as (
    select
        campaign_key,
        lot_key,
        copper_g,
        {% for side in ['', '_low', '_high'] -%}
            case
                when is_heap then copper_g
                else {{ allocation_weight(var('allocation_method'), 'recovery' ~ side ~ '_frac') }}
            end as weight{{ side }},
        {% endfor -%}
        is_synthetic
    from priced
    where copper_g > 0
),

sums as (
    select
        campaign_key,
        sum(weight) as weight,
        sum(weight_low) as weight_low,
        sum(weight_high) as weight_high,
        sum(copper_g) as copper_g,
        is_synthetic
    from weighed
    group by campaign_key, is_synthetic
),

-- What came out and was never fed weighs as the mean of what was.
with_gains as (
    select * from weighed
    union all
    select
        balances.campaign_key,
        balances.rest_lot_key as lot_key,
        balances.gained_g as copper_g,
        {% for weight in ['weight', 'weight_low', 'weight_high'] -%}
            {{ whole_part('balances.gained_g', 'sums.' ~ weight, 'sums.copper_g') }} as {{ weight }},
        {% endfor -%}
        balances.is_synthetic
    from {{ ref('int_lot__balances') }} as balances
    inner join sums
        on balances.campaign_key = sums.campaign_key and balances.is_synthetic = sums.is_synthetic
    where balances.gained_g > 0
),

-- Lots with most weight for their copper come first: whoever would win more than his copper wins all of it, and those
-- after him share what is left. After the first who does not, nobody does.
ordered as (
    select
        with_gains.*,
        balances.is_heap,
        balances.product_g,
        sum(with_gains.weight) over onward as weight_onward,
        sum(with_gains.copper_g) over onward as copper_onward_g,
        sum(with_gains.copper_g) over (partition by with_gains.campaign_key, with_gains.is_synthetic) as all_copper_g
    from with_gains
    inner join {{ ref('int_lot__balances') }} as balances
        on with_gains.campaign_key = balances.campaign_key and with_gains.is_synthetic = balances.is_synthetic
    where balances.is_whole
    window onward as (
        partition by with_gains.campaign_key, with_gains.is_synthetic
        order by cast(with_gains.weight as double) / with_gains.copper_g desc, with_gains.lot_key asc
        rows between current row and unbounded following
    )
),

capped as (
    select
        *,
        cast(copper_g as double) * weight_onward
        <= cast(weight as double) * (product_g - (all_copper_g - copper_onward_g)) as is_all_won
    from ordered
),

cut as (
    select
        *,
        case
            when is_all_won then copper_g
            else {{ whole_part(
                '(product_g - coalesce(sum(copper_g) filter (where is_all_won) over campaign, 0))',
                'weight',
                '(sum(weight) filter (where not is_all_won) over campaign)'
            ) }}
        end as cut_g,
        sum(weight) over campaign as all_weight,
        sum(weight_low) over campaign as all_weight_low,
        sum(weight_high) over campaign as all_weight_high
    from capped
    window campaign as (partition by campaign_key, is_synthetic)
),

-- What whole grams leave over goes to those who won most, as far as they have copper.
left_over as (
    select
        *,
        product_g - sum(cut_g) over (partition by campaign_key, is_synthetic) as left_g,
        sum(copper_g - cut_g) over (
            partition by campaign_key, is_synthetic
            order by cut_g desc, lot_key asc
            rows between unbounded preceding and current row
        ) - (copper_g - cut_g) as room_before_g
    from cut
),

shared as (
    select
        *,
        cast(cut_g + greatest(least(copper_g - cut_g, left_g - room_before_g), 0) as bigint) as won_g
    from left_over
)

select
    campaign_key,
    lot_key,
    cast(copper_g as bigint) as copper_g,
    won_g,
    cast(floor(
        won_g * (cast(weight_low as double) / weight)
        * (cast(all_weight as double) / (weight_low + all_weight_high - weight_high))
    ) as bigint) as won_low_g,
    cast(least(ceil(
        won_g * (cast(weight_high as double) / weight)
        * (cast(all_weight as double) / (weight_high + all_weight_low - weight_low))
    ), copper_g) as bigint) as won_high_g,
    case when is_heap then 'COPPER' else '{{ var('allocation_method') }}' end as allocation_method_code,
    is_synthetic
from shared
