-- Every transfer is shared over origin lots without a cent lost or made, the payments that no paper tells of as well.
with transfers as (
    select
        transfer_key,
        {{ whole_cents('value_usd') }} as value_cents,
        is_synthetic
    from {{ ref('fct_transfer') }}

    union all

    select
        transfer_key,
        {{ whole_cents('value_usd') }} as value_cents,
        is_synthetic
    from {{ ref('int_lot__flows_imputed') }}
),

allocated as (
    select
        transfer_key,
        sum(value_cents) as value_cents,
        is_synthetic
    from (
        select transfer_key, value_cents, is_synthetic from {{ ref('int_transfer__lots_allocated') }}
        union all
        select transfer_key, value_cents, is_synthetic from {{ ref('int_lot__flows_allocated') }}
    ) as both_kinds
    group by transfer_key, is_synthetic
)

select
    transfers.transfer_key,
    transfers.value_cents,
    allocated.value_cents as allocated_cents
from transfers
left join allocated
    on transfers.transfer_key = allocated.transfer_key and transfers.is_synthetic = allocated.is_synthetic
where coalesce(allocated.value_cents, transfers.value_cents - 1) <> transfers.value_cents
