-- From the LME value of an origin lot's copper to what was paid abroad for it: LME contained = FOB + metallurgical loss
-- + assay difference + payability loss + TC/RC + penalties - credits - effect of the quotational period - unexplained +
-- what the papers do not follow to an export. Steps are differences of copper valued at the reference price and
-- unexplained_usd is the rest, so that holds on every lot; what can fail is tested. Of a lot whose declaration does not
-- tell its terms, the steps from payability to the quotational period are empty, and what FOB is below the copper's
-- value is not explained.
with exports as (
    select * from {{ ref('int_transfer__lots_allocated') }}
    where kind_code = 'EXPORT'
    union all
    select * from {{ ref('int_lot__flows_allocated') }}
    where kind_code = 'EXPORT'
),

fob as (
    select
        origin_lot_key as lot_key,
        coalesce(sum(value_cents) filter (where value_basis_code = 'observed'), 0) as fob_cents,
        coalesce(sum(value_cents) filter (where value_basis_code <> 'observed'), 0) as fob_imputed_cents,
        sum(low_cents) as fob_low_cents,
        sum(high_cents) as fob_high_cents,
        is_synthetic
    from exports
    group by origin_lot_key, is_synthetic
),

missing as (
    select
        missing.lot_key,
        min(codes.rank) as first_rank,
        bool_or(codes.breaks_bridge) as is_broken,
        missing.is_synthetic
    from {{ ref('int_lot__missing') }} as missing
    inner join {{ ref('lot_missing_codes') }} as codes on missing.missing_code = codes.missing_code
    group by missing.lot_key, missing.is_synthetic
),

joined as (
    select
        origins.*,
        exported.is_final,
        origins.exported_g + origins.at_pit_g + origins.at_plant_g + origins.in_store_g as won_g,
        coalesce(exported.port_copper_g, 0) as port_g,
        {% for told, name in {
            'payable_copper_g': 'payable_g', 'metal_cents': 'metal_cents', 'tc_rc_cents': 'tc_rc_cents',
            'penalties_cents': 'penalties_cents', 'credits_cents': 'credits_cents'
        }.items() -%}
            case when coalesce(exported.has_terms, true) then coalesce(exported.{{ told }}, 0) end as {{ name }},
        {% endfor -%}
        coalesce(fob.fob_cents, 0) as fob_cents,
        coalesce(fob.fob_imputed_cents, 0) as fob_imputed_cents,
        coalesce(fob.fob_low_cents, 0) as fob_low_cents,
        coalesce(fob.fob_high_cents, 0) as fob_high_cents,
        not coalesce(missing.is_broken, false) as is_complete,
        codes.missing_code
    from {{ ref('int_lot__origins') }} as origins
    left join {{ ref('int_lot__exports_allocated') }} as exported
        on origins.lot_key = exported.origin_lot_key and origins.is_synthetic = exported.is_synthetic
    left join fob
        on origins.lot_key = fob.lot_key and origins.is_synthetic = fob.is_synthetic
    left join missing
        on origins.lot_key = missing.lot_key and origins.is_synthetic = missing.is_synthetic
    left join {{ ref('lot_missing_codes') }} as codes on missing.first_rank = codes.rank
),

at_reference_price as (
    select
        *,
        {% for mass in ['copper', 'won', 'exported', 'port', 'payable'] -%}
            {{ copper_cents(mass ~ '_g', 'reference_copper_usd_per_t') }} as {{ mass }}_cents
            {%- if not loop.last %},
            {% endif %}
        {%- endfor %}
    from joined
)

select
    lot_key,
    lot_kind_code,
    product_form_code,
    department_code,
    operator_key,
    reinfo_key,
    registry_state,
    reference_date,
    cast(reference_copper_usd_per_t as decimal(18, 6)) as reference_copper_usd_per_t,
    reference_price_basis_code,
    cast(mass_wmt as decimal(14, 6)) as mass_wmt,
    cast(mass_dmt as decimal(14, 6)) as mass_dmt,
    {{ tonnes_of('copper_g') }} as copper_t,
    {{ tonnes_of('payable_g') }} as payable_copper_t,
    {{ usd_of('copper_cents') }} as lme_contained_usd,
    {{ usd_of('copper_cents - won_cents') }} as metallurgical_loss_usd,
    {{ usd_of('exported_cents - port_cents') }} as assay_difference_usd,
    {{ usd_of('port_cents - payable_cents') }} as payability_loss_usd,
    {{ usd_of('payable_cents') }} as payable_lme_usd,
    {{ usd_of('tc_rc_cents') }} as tc_rc_usd,
    {{ usd_of('penalties_cents') }} as penalties_usd,
    {{ usd_of('credits_cents') }} as credits_usd,
    {{ usd_of('metal_cents - payable_cents') }} as qp_effect_usd,
    {{ usd_of(
        'fob_cents - coalesce(metal_cents - tc_rc_cents - penalties_cents + credits_cents, port_cents, 0)'
    ) }} as unexplained_usd,
    {{ usd_of('fob_cents') }} as fob_usd,
    {{ usd_of('won_cents - exported_cents') }} as not_followed_usd,
    {{ usd_of('fob_imputed_cents') }} as fob_imputed_usd,
    {{ usd_of('fob_low_cents') }} as fob_low_usd,
    {{ usd_of('fob_high_cents') }} as fob_high_usd,
    is_complete,
    coalesce(is_final, false) as is_fob_final,
    missing_code,
    is_synthetic
from at_reference_price
