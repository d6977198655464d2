-- A sheet's terms in US$ add up to its value but for the sheet's rounding: at most two cents a tonne, and half a cent
-- for each term.
select
    buyer_key,
    settlement_id
from {{ ref('int_settlement__lots_valued') }}
where
    abs(
        copper_usd + credits_usd - refining_usd - participation_usd - treatment_usd - penalties_usd - assay_fee_usd
        - loading_usd - freight_usd - value_recomputed_usd
    ) > 0.02 * payable_dmt + 0.05
