-- Toll campaigns: one row per plant and campaign, with what the mill is owed for, dry tonnes fed by the tariff. A
-- campaign goes by the lot of its tailings, or where it has none by its own code after its plant's key.
with lines as (
    select
        lines.*,
        codes.lot_key
    from {{ ref('stg_partner_campaigns__lines') }} as lines
    left join {{ ref('int_lot__codes') }} as codes
        on
            lines.plant_key = codes.party_key
            and lines.lot_id = codes.lot_id
            and lines.is_synthetic = codes.is_synthetic
    where lines.is_current and lines.contract_kind_code = 'MAQUILA'
)

select
    plant_key,
    campaign_id,
    coalesce(
        min(case when line_kind_code = 'RELAVE' then lot_key end), concat(plant_key, '-', campaign_id)
    ) as lot_key,
    min(owner_key) as owner_key,
    max(ended_date) as ended_date,
    sum(case when line_kind_code = 'ALIMENTACION' then mass_dmt end) as fed_dmt,
    cast(
        sum(case when line_kind_code = 'ALIMENTACION' then mass_dmt end) * max(toll_usd_per_dmt) as decimal(18, 2)
    ) as toll_usd,
    min(invoice_key) as document_key,
    is_synthetic
from lines
group by plant_key, campaign_id, is_synthetic
