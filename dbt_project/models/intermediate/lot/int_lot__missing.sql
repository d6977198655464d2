-- What the papers of an origin lot lack, one row for each thing: first what breaks the bridge from LME to FOB, then
-- the payments that had to be imputed. A load that a collector sells, sends or pays for was bought of somebody, so as
-- an origin it lacks its mixing sheet; a product, tailings or copper that a campaign won and was never fed lack what
-- was fed. Lots whose campaign does not add up lack a balance, whatever else is there; lots whose export declaration
-- tells no payable share or no price lack its terms.
with collected as (
    select distinct
        lot_key,
        is_synthetic
    from {{ ref('fct_transfer') }}
    where payee_role_code = 'COLLECTOR' or payer_role_code = 'COLLECTOR'
),

gaps as (
    select
        origins.lot_key,
        origins.copper_g is null or origins.copper_g <= 0 as no_copper,
        origins.reference_copper_usd_per_t is null as no_price,
        origins.lot_kind_code not in ('PIT', 'LOAD') as no_feed,
        origins.lot_kind_code = 'LOAD' and collected.lot_key is not null as no_mix,
        origins.at_pit_g > 0 as no_load,
        origins.at_plant_g > 0 as no_campaign,
        origins.in_store_g > 0 as no_export,
        origins.is_synthetic
    from {{ ref('int_lot__origins') }} as origins
    left join collected
        on origins.lot_key = collected.lot_key and origins.is_synthetic = collected.is_synthetic
)

{% for gap in ['no_copper', 'no_price', 'no_feed', 'no_mix', 'no_load', 'no_campaign', 'no_export'] -%}
    select
        lot_key,
        '{{ gap | upper }}' as missing_code,
        is_synthetic
    from gaps
    where {{ gap }}

    union all

{% endfor -%}
select
    lot_key,
    'NO_BALANCE' as missing_code,
    is_synthetic
from {{ ref('int_lot__unbalanced') }}

union all

select
    origin_lot_key as lot_key,
    'NO_TERMS' as missing_code,
    is_synthetic
from {{ ref('int_lot__exports_allocated') }}
where not has_terms

union all

select distinct
    origin_lot_key as lot_key,
    kind_code as missing_code,
    is_synthetic
from {{ ref('int_transfer__lots_allocated') }}
where value_basis_code <> 'observed'
