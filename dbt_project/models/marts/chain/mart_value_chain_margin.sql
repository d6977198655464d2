{{ config(post_hook=["{{ usd_per_t_macro() }}", "{{ contained_copper_macro() }}"]) }}
-- Margins of the links by month, department and form of the ore and the registration's state on the lot's day.
-- Sums are those of fct_lot_link_margin (a test); bounds are sums of the lots' bounds, so wider than a sum would need.
-- US$ per tonne are of the lots whose copper (or dry mass) is known, shares of those that the papers follow to the
-- port, in all of whose links they sum to one of FOB.
with lots as (
    select
        lot_key,
        cast(date_trunc('month', reference_date) as date) as month,
        coalesce(department_code, '--') as department_code,
        coalesce(product_form_code, '--') as product_form_code,
        registry_state,
        operator_key,
        copper_t,
        mass_dmt,
        lme_contained_usd,
        payable_lme_usd,
        fob_usd,
        is_complete,
        is_complete and not is_fob_final as is_provisional,
        is_synthetic
    from {{ ref('fct_lot_value_bridge') }}
),

cells as (
    select
        month,
        department_code,
        product_form_code,
        registry_state,
        count(*) as cell_lot_count,
        count(*) filter (where is_complete) as complete_lot_count,
        count(*) filter (where is_provisional) as provisional_lot_count,
        sum(copper_t) as copper_t,
        sum(mass_dmt) as mass_dmt,
        sum(lme_contained_usd) filter (where is_complete) as lme_contained_usd,
        sum(payable_lme_usd) filter (where is_complete) as payable_lme_usd,
        sum(fob_usd) filter (where is_complete) as fob_usd,
        is_synthetic
    from lots
    group by month, department_code, product_form_code, registry_state, is_synthetic
),

links as (
    select
        lots.month,
        lots.department_code,
        lots.product_form_code,
        lots.registry_state,
        margins.link_code,
        count(*) as lot_count,
        count(distinct lots.operator_key) as operator_count,
        sum(margins.revenue_usd) as revenue_usd,
        sum(margins.purchases_usd) as purchases_usd,
        sum(margins.gross_margin_usd) as gross_margin_usd,
        sum(margins.gross_margin_low_usd) as gross_margin_low_usd,
        sum(margins.gross_margin_high_usd) as gross_margin_high_usd,
        sum(case when lots.copper_t > 0 then margins.gross_margin_usd else 0 end)
            as copper_known_gross_margin_usd,
        sum(case when lots.mass_dmt > 0 then margins.gross_margin_usd else 0 end)
            as mass_known_gross_margin_usd,
        sum(margins.gross_margin_usd) filter (where lots.is_complete) as complete_gross_margin_usd,
        sum(margins.observed_usd) as observed_usd,
        sum(margins.modelled_usd) as modelled_usd,
        sum(margins.imputed_usd) as imputed_usd,
        lots.is_synthetic
    from {{ ref('fct_lot_link_margin') }} as margins
    inner join lots
        on margins.lot_key = lots.lot_key and margins.is_synthetic = lots.is_synthetic
    group by
        lots.month, lots.department_code, lots.product_form_code, lots.registry_state, margins.link_code,
        lots.is_synthetic
)

select
    links.month,
    links.department_code,
    links.product_form_code,
    links.link_code,
    links.registry_state,
    links.lot_count,
    links.operator_count,
    cells.cell_lot_count,
    cells.complete_lot_count,
    cells.provisional_lot_count,
    {% for money in [
        'revenue_usd', 'purchases_usd', 'gross_margin_usd', 'gross_margin_low_usd', 'gross_margin_high_usd'
    ] -%}
        cast(links.{{ money }} as decimal(18, 2)) as {{ money }},
    {% endfor -%}
    cast(cells.copper_t as decimal(18, 6)) as copper_t,
    cast(cells.mass_dmt as decimal(18, 6)) as mass_dmt,
    cast(links.copper_known_gross_margin_usd as decimal(18, 2)) as copper_known_gross_margin_usd,
    cast(links.mass_known_gross_margin_usd as decimal(18, 2)) as mass_known_gross_margin_usd,
    {{ per_unit('links.copper_known_gross_margin_usd', 'cells.copper_t') }} as gross_margin_usd_per_t,
    {{ per_unit('links.mass_known_gross_margin_usd', 'cells.mass_dmt') }} as gross_margin_usd_per_dmt,
    cast(coalesce(links.complete_gross_margin_usd, 0) as decimal(18, 2)) as complete_gross_margin_usd,
    cast(coalesce(cells.lme_contained_usd, 0) as decimal(18, 2)) as lme_contained_usd,
    cast(coalesce(cells.payable_lme_usd, 0) as decimal(18, 2)) as payable_lme_usd,
    cast(coalesce(cells.fob_usd, 0) as decimal(18, 2)) as fob_usd,
    {{ per_unit('links.complete_gross_margin_usd', 'cells.lme_contained_usd', 'decimal(12, 6)') }}
        as share_of_lme_contained_frac,
    {{ per_unit('links.complete_gross_margin_usd', 'cells.payable_lme_usd', 'decimal(12, 6)') }}
        as share_of_payable_frac,
    {{ per_unit('links.complete_gross_margin_usd', 'cells.fob_usd', 'decimal(12, 6)') }} as share_of_fob_frac,
    {% for basis in ['observed', 'imputed', 'modelled'] -%}
        {{ per_unit(
            'links.' ~ basis ~ '_usd', 'links.observed_usd + links.imputed_usd + links.modelled_usd', 'decimal(9, 6)'
        ) }} as {{ basis }}_share_frac,
    {% endfor -%}
    links.is_synthetic
from links
inner join cells
    on
        links.month = cells.month
        and links.department_code = cells.department_code
        and links.product_form_code = cells.product_form_code
        and links.registry_state = cells.registry_state
        and links.is_synthetic = cells.is_synthetic
