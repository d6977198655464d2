-- Every current line of an export declaration with the lot's code that travels (none where the line names no lot), and
-- whether it holds. Which version holds is chosen for the declaration as a whole: the regularised one where any line of
-- it is there, whatever its lines are numbered, else the provisional one. Everyone reads declarations through this
-- table.
select
    lines.declaration_id,
    lines.version_code,
    lines.line_number,
    lines.declaration_date,
    lines.shipped_date,
    lines.exporter_key,
    lines.product_form_code,
    lines.net_wmt,
    lines.net_dmt,
    lines.cu_pct,
    lines.payability_rule_code,
    lines.payable_pct,
    lines.deduction_pct,
    lines.copper_usd_per_t,
    lines.treatment_usd_per_dmt,
    lines.refining_usd_per_lb,
    lines.penalties_usd_per_dmt,
    lines.credits_usd_per_dmt,
    lines.fob_usd,
    codes.lot_key,
    (lines.version_code = 'REGULARIZADA')
    = (
        max(case lines.version_code when 'REGULARIZADA' then 1 else 0 end) over (
            partition by lines.declaration_id, lines.is_synthetic
        ) = 1
    ) as is_held,
    lines.is_synthetic,
    lines.landing_sha256,
    lines.row_number
from {{ ref('stg_partner_exports__lines') }} as lines
left join {{ ref('int_lot__codes') }} as codes
    on
        lines.exporter_key = codes.party_key
        and lines.lot_id = codes.lot_id
        and lines.is_synthetic = codes.is_synthetic
where lines.is_current
