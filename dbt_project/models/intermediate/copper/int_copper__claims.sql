-- What was published about ASM copper that nobody weighed: trucks a day made into ore and copper by assumptions that
-- are data, and copper a year made back into ore and trucks. Bounds are those of the published number alone.
with assumptions as (
    select
        max(case when assumption_code = 'TRUCK_LOAD' then value end) as truck_load_t,
        max(case when assumption_code = 'TRUCK_DAYS' then value end) as truck_days,
        max(case when assumption_code = 'CLAIM_GRADE' then value end)
        * max(case when assumption_code = 'CLAIM_RECOVERY' then value end) / 100 as copper_t_per_ore_t
    from {{ ref('ref_copper_assumption') }}
),

ore as (
    select
        claims.*,
        assumptions.*,
        case claims.quantity_code
            when 'TRUCKS_PER_DAY' then claims.low_value * assumptions.truck_load_t * assumptions.truck_days
            when 'COPPER_T_PER_YEAR' then claims.low_value / assumptions.copper_t_per_ore_t
        end as ore_low,
        case claims.quantity_code
            when 'TRUCKS_PER_DAY' then claims.high_value * assumptions.truck_load_t * assumptions.truck_days
            when 'COPPER_T_PER_YEAR' then claims.high_value / assumptions.copper_t_per_ore_t
        end as ore_high
    from {{ ref('ref_traffic_claim') }} as claims
    cross join assumptions
)

select
    claim_code,
    as_of_date,
    date_precision_code,
    quantity_code,
    department_code,
    place_name,
    cast(ore_low as decimal(18, 0)) as ore_low_t,
    cast(ore_high as decimal(18, 0)) as ore_high_t,
    cast(ore_low * copper_t_per_ore_t as decimal(18, 1)) as copper_low_t,
    cast(ore_high * copper_t_per_ore_t as decimal(18, 1)) as copper_high_t,
    cast(ore_low / truck_load_t as decimal(18, 0)) as trips_low,
    cast(ore_high / truck_load_t as decimal(18, 0)) as trips_high,
    cast(ore_low / (truck_load_t * truck_days) as decimal(12, 2)) as trucks_per_day_low,
    cast(ore_high / (truck_load_t * truck_days) as decimal(12, 2)) as trucks_per_day_high,
    cast(ore_low * copper_t_per_ore_t / miner_count as decimal(12, 1)) as copper_low_t_per_miner,
    source
from ore
