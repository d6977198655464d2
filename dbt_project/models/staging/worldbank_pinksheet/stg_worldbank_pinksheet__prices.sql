-- Every vintage of every price. `is_current` marks the newest vintage of each month and commodity.
select
    month,
    commodity_name,
    commodity_code,
    unit_of_measure,
    price,
    {{ lineage() }},
    {{ is_current(['month', 'commodity_name']) }} as is_current
from {{ source('raw', 'worldbank_pinksheet__prices') }}
