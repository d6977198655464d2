-- The vouchers of a kind = what its transfers rest on + what is unmatched, to the cent.
with vouchers as (
    select kind_code, is_synthetic, sum(value_usd) as value_usd
    from {{ ref('int_document__classified') }}
    where part_code in ('SALE', 'ADJUSTMENT')
    group by kind_code, is_synthetic
),

placed as (
    select kind_code, is_synthetic, sum(value_usd) as value_usd
    from (
        select kind_code, is_synthetic, voucher_value_usd as value_usd from {{ ref('int_transfer__observed') }}
        union all
        select kind_code, is_synthetic, value_usd from {{ ref('mart_unmatched_document') }}
        where part_code <> 'REFUSED'
    ) as parts
    group by kind_code, is_synthetic
)

select vouchers.kind_code, vouchers.is_synthetic, vouchers.value_usd, placed.value_usd as placed_usd
from vouchers
left join placed on vouchers.kind_code = placed.kind_code and vouchers.is_synthetic = placed.is_synthetic
where vouchers.value_usd <> coalesce(placed.value_usd, 0)
