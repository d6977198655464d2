{{ config(materialized='view') }}
-- Every change of owner and paid service that partners' papers imply, and whether it is observed: what is not can be
-- imputed. One row per kind and lot (and buyer between collectors). indicated_value_usd is what an agreement or the
-- usual fee would make it.
with observed as (
    select distinct
        kind_code,
        lot_key,
        case when kind_code = 'ORE_BETWEEN_COLLECTORS' then payer_key else '-' end as sold_to,
        is_synthetic
    from {{ ref('int_transfer__observed') }}
)

select
    implied.kind_code,
    implied.lot_key,
    implied.payee_key,
    implied.payer_key,
    implied.invoicing_party_key,
    implied.operator_key,
    implied.reinfo_key,
    implied.expected_date,
    implied.product_form_code,
    implied.mass_wmt,
    implied.mass_dmt,
    implied.cu_pct,
    implied.copper_g,
    implied.match_value_usd as indicated_value_usd,
    implied.why_code,
    observed.kind_code is not null as is_observed,
    implied.is_synthetic
from {{ ref('int_transfer__implied') }} as implied
left join observed
    on
        implied.kind_code = observed.kind_code
        and implied.lot_key = observed.lot_key
        and implied.is_synthetic = observed.is_synthetic
        and case when implied.kind_code = 'ORE_BETWEEN_COLLECTORS' then implied.payer_key else '-' end
        = observed.sold_to
where implied.why_code <> 'POSSIBLE'
