-- Origin lots whose copper went through a campaign or heap that does not add up: a paper of it is wrong, and so is what
-- the ledger says of their share in its products. What came out and never went in is such a lot itself.
select distinct
    parts.origin_lot_key as lot_key,
    parts.is_synthetic
from {{ ref('int_lot__balances') }} as balances
inner join {{ ref('int_lot__batch_lines') }} as lines
    on
        balances.campaign_key = lines.campaign_key
        and balances.is_synthetic = lines.is_synthetic
        and lines.stream_code <> 'FEED'
inner join {{ ref('int_lot__genealogy') }} as parts
    on lines.lot_key = parts.lot_key and lines.is_synthetic = parts.is_synthetic
where balances.is_out_of_balance
