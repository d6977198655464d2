-- LME contained = FOB + losses + charges - credits - effect of the quotational period - unexplained + not followed, to
-- the cent on every priced lot. That holds by construction, for unexplained is the rest. What can fail: complete lots
-- have a price, terms and a paid FOB and are followed whole; scales and assays at the port differ no more from the
-- plant's than they do elsewhere; and what terms do not explain of a final FOB is their rounding, with a cent for each
-- of six shared amounts, but for exports whose vouchers differ from the declaration or the declaration from its terms.
with exported as (
    select
        valued.lot_key,
        lots.net_dmt * {{ settlement_rule('UNIT_VALUE') }} as rounding_usd,
        abs(
            valued.declared_fob_cents
            - (valued.metal_cents - valued.tc_rc_cents - valued.penalties_cents + valued.credits_cents)
        ) * 0.01 as difference_usd,
        valued.is_synthetic
    from {{ ref('int_export__lots_valued') }} as valued
    inner join {{ ref('int_export__lots') }} as lots
        on valued.lot_key = lots.lot_key and valued.is_synthetic = lots.is_synthetic
),

differing as (
    select distinct
        lot_key,
        is_synthetic
    from {{ ref('int_transfer__observed') }}
    where kind_code = 'EXPORT' and difference_usd <> 0
),

rounded as (
    select
        shares.origin_lot_key as lot_key,
        sum(
            exported.rounding_usd * shares.copper_g / shares.lot_copper_g
            + 0.06 * case when shares.is_largest then shares.origin_count else 1 end
        ) as rounding_usd,
        bool_or(differing.lot_key is not null or exported.difference_usd > exported.rounding_usd + 0.06) as may_differ,
        exported.is_synthetic
    from exported
    inner join {{ ref('int_lot__shares') }} as shares
        on
            exported.lot_key = shares.lot_key
            and shares.basis_code = 'LOT'
            and exported.is_synthetic = shares.is_synthetic
    left join differing
        on exported.lot_key = differing.lot_key and exported.is_synthetic = differing.is_synthetic
    group by shares.origin_lot_key, exported.is_synthetic
)

select
    bridge.lot_key,
    bridge.lme_contained_usd,
    bridge.fob_usd,
    bridge.unexplained_usd,
    rounded.rounding_usd
from {{ ref('fct_lot_value_bridge') }} as bridge
left join rounded
    on bridge.lot_key = rounded.lot_key and bridge.is_synthetic = rounded.is_synthetic
where
    bridge.lme_contained_usd <> bridge.fob_usd + bridge.metallurgical_loss_usd + bridge.assay_difference_usd
    + coalesce(bridge.payability_loss_usd, 0) + coalesce(bridge.tc_rc_usd, 0) + coalesce(bridge.penalties_usd, 0)
    - coalesce(bridge.credits_usd, 0) - coalesce(bridge.qp_effect_usd, 0) - bridge.unexplained_usd
    + bridge.not_followed_usd
    or (
        bridge.is_complete
        and (
            bridge.lme_contained_usd is null
            or bridge.payable_lme_usd is null
            or bridge.not_followed_usd <> 0
            or bridge.fob_imputed_usd <> 0
            or bridge.assay_difference_usd
            > (bridge.lme_contained_usd - bridge.metallurgical_loss_usd) * {{ imputation_rule('LEFT_OVER_FRAC') }} + 1
        )
    )
    or (
        bridge.is_complete
        and bridge.is_fob_final
        and not coalesce(rounded.may_differ, false)
        and abs(bridge.unexplained_usd) > coalesce(rounded.rounding_usd, 0)
    )
