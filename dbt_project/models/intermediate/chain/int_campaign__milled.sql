-- Toll campaigns: one row per plant and campaign, with what the mill is owed for, dry tonnes fed by the tariff, on the
-- lot by which the campaign goes.
select
    lines.plant_key,
    lines.campaign_id,
    min(batch_lines.campaign_lot_key) as lot_key,
    min(lines.owner_key) as owner_key,
    max(lines.ended_date) as ended_date,
    sum(case when lines.line_kind_code = 'ALIMENTACION' then lines.mass_dmt end) as fed_dmt,
    cast(
        sum(case when lines.line_kind_code = 'ALIMENTACION' then lines.mass_dmt end) * max(lines.toll_usd_per_dmt)
        as decimal(18, 2)
    ) as toll_usd,
    min(lines.invoice_key) as document_key,
    lines.is_synthetic
from {{ ref('stg_partner_campaigns__lines') }} as lines
inner join {{ ref('int_lot__batch_lines') }} as batch_lines
    on
        lines.plant_key = batch_lines.plant_key
        and lines.campaign_id = batch_lines.campaign_id
        and lines.line_number = batch_lines.line_number
        and lines.is_synthetic = batch_lines.is_synthetic
where lines.is_current and lines.contract_kind_code = 'MAQUILA'
group by lines.plant_key, lines.campaign_id, lines.is_synthetic
