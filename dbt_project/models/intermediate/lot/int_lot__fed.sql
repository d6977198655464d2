-- What each lot gave to each campaign or heap that it was fed to, in whole grams of copper. A lot gives all that it
-- holds once nearly all of it was fed, over its lines by their copper, and never more than it holds.
with lines as (
    select
        campaign_key,
        lot_key,
        sum(mass_g) as line_mass_g,
        sum(copper_g) as line_copper_g,
        is_synthetic
    from {{ ref('int_lot__batch_lines') }}
    where stream_code = 'FEED'
    group by campaign_key, lot_key, is_synthetic
),

cumulated as (
    select
        lines.*,
        case
            when books.fed_copper_g < books.copper_g * (1 - {{ lot_rule('LOT_TOLERANCE_FRAC') }})
                then books.fed_copper_g
            else books.copper_g
        end as given_g,
        books.fed_copper_g,
        sum(lines.line_copper_g) over (
            partition by lines.lot_key, lines.is_synthetic
            order by lines.campaign_key
            rows between unbounded preceding and current row
        ) as upto_g
    from lines
    inner join {{ ref('int_lot__books') }} as books
        on lines.lot_key = books.lot_key and lines.is_synthetic = books.is_synthetic
    where books.fed_copper_g > 0
)

-- Differences of cut cumulated shares: over a lot's lines they sum to what it gives.
select
    campaign_key,
    lot_key,
    cast(line_mass_g as bigint) as mass_g,
    cast(line_copper_g as bigint) as line_copper_g,
    {{ whole_part('given_g', 'upto_g', 'fed_copper_g') }}
    - {{ whole_part('given_g', '(upto_g - line_copper_g)', 'fed_copper_g') }} as copper_g,
    is_synthetic
from cumulated
