-- What each link of the chain took in, paid to other links and kept of an origin lot. A link's revenue is what was
-- paid to its role, its purchases what its role paid; so the links' gross margins sum to the FOB, to the cent (a
-- test). Bounds: revenue at its lowest less purchases at their highest, and the reverse; what one firm of a link pays
-- to another of the same link leaves the link's margin as it is. Costs of labour and inputs are not in the papers: the
-- gross margin is the most that the net margin can be, and its lower bound is not known.
{% set observed_cents = '(links.turnover_cents - links.modelled_cents - links.imputed_cents)' %}
with flows as (
    select * from {{ ref('int_transfer__lots_allocated') }}
    union all
    select * from {{ ref('int_lot__flows_allocated') }}
),

sides as (
    select
        origin_lot_key as lot_key,
        payee_role_code as link_code,
        value_basis_code,
        value_cents as revenue_cents,
        0 as purchases_cents,
        case when payee_role_code = payer_role_code then value_cents else low_cents end as low_cents,
        case when payee_role_code = payer_role_code then value_cents else high_cents end as high_cents,
        transfer_count,
        is_synthetic
    from flows

    union all

    select
        origin_lot_key as lot_key,
        payer_role_code as link_code,
        value_basis_code,
        0 as revenue_cents,
        value_cents as purchases_cents,
        -case when payee_role_code = payer_role_code then value_cents else high_cents end as low_cents,
        -case when payee_role_code = payer_role_code then value_cents else low_cents end as high_cents,
        transfer_count,
        is_synthetic
    from flows
    where payer_role_code <> 'ABROAD'
),

links as (
    select
        lot_key,
        link_code,
        sum(revenue_cents) as revenue_cents,
        sum(purchases_cents) as purchases_cents,
        sum(low_cents) as low_cents,
        sum(high_cents) as high_cents,
        sum(revenue_cents + purchases_cents) as turnover_cents,
        sum(case when value_basis_code = 'modelled' then revenue_cents + purchases_cents else 0 end) as modelled_cents,
        sum(case when value_basis_code = 'imputed' then revenue_cents + purchases_cents else 0 end) as imputed_cents,
        max(case value_basis_code when 'imputed' then 2 when 'modelled' then 1 else 0 end) as basis_rank,
        sum(transfer_count) as transfer_count,
        is_synthetic
    from sides
    group by lot_key, link_code, is_synthetic
)

select
    links.lot_key,
    links.link_code,
    {{ usd_of('links.revenue_cents') }} as revenue_usd,
    {{ usd_of('links.purchases_cents') }} as purchases_usd,
    {{ usd_of('links.revenue_cents - links.purchases_cents') }} as gross_margin_usd,
    {{ usd_of('links.low_cents') }} as gross_margin_low_usd,
    {{ usd_of('links.high_cents') }} as gross_margin_high_usd,
    cast(null as decimal(18, 2)) as direct_cost_usd,
    cast(null as decimal(18, 2)) as net_margin_low_usd,
    {{ usd_of('links.high_cents') }} as net_margin_high_usd,
    {{ per_unit(usd_of('links.revenue_cents - links.purchases_cents'), 'bridge.copper_t') }}
        as gross_margin_usd_per_t,
    {{ per_unit(usd_of('links.revenue_cents - links.purchases_cents'), 'bridge.mass_dmt') }}
        as gross_margin_usd_per_dmt,
    {{ usd_of(observed_cents) }} as observed_usd,
    {{ usd_of('links.modelled_cents') }} as modelled_usd,
    {{ usd_of('links.imputed_cents') }} as imputed_usd,
    {{ per_unit(observed_cents, 'links.turnover_cents', 'decimal(9, 6)') }} as observed_share_frac,
    case links.basis_rank when 2 then 'imputed' when 1 then 'modelled' else 'observed' end
        as value_basis_code,
    cast(links.transfer_count as bigint) as transfer_count,
    coalesce(bridge.is_complete, false) as is_complete,
    links.is_synthetic
from links
left join {{ ref('fct_lot_value_bridge') }} as bridge
    on links.lot_key = bridge.lot_key and links.is_synthetic = bridge.is_synthetic
