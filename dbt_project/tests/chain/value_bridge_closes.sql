-- LME contained = FOB + losses + charges - credits - effect of the quotational period - unexplained + not followed, to
-- the cent on every priced lot; on complete ones nothing is left unfollowed.
select
    lot_key,
    lme_contained_usd,
    fob_usd
from {{ ref('fct_lot_value_bridge') }}
where
    lme_contained_usd <> fob_usd + metallurgical_loss_usd + assay_difference_usd + payability_loss_usd + tc_rc_usd
    + penalties_usd - credits_usd - qp_effect_usd - unexplained_usd + not_followed_usd
    or (is_complete and (lme_contained_usd is null or not_followed_usd <> 0 or fob_imputed_usd <> 0))
