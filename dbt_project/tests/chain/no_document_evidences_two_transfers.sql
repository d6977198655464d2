-- What one side pays the other receives once: a voucher, note or waybill stands with one transfer.
select paper_id, is_synthetic, count(distinct transfer_key) as transfer_count
from {{ ref('int_transfer__evidence') }}
where source_table = 'sunat_documents__documents'
group by paper_id, is_synthetic
having count(distinct transfer_key) > 1
