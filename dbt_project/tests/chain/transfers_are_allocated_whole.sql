-- Every kind of transfer, and of the payments that no paper tells of, is shared over origin lots without a cent lost or
-- made between the same roles.
{% set cell = ['kind_code', 'payee_role_code', 'payer_role_code', 'value_basis_code', 'is_synthetic'] | join(', ') %}
with booked as (
    select {{ cell }}, {{ whole_cents('value_usd') }} as booked_cents, 0 as allocated_cents
    from {{ ref('fct_transfer') }}
    union all
    select {{ cell }}, {{ whole_cents('value_usd') }} as booked_cents, 0 as allocated_cents
    from {{ ref('int_lot__flows_imputed') }}
    union all
    select {{ cell }}, 0 as booked_cents, value_cents as allocated_cents from {{ ref('int_transfer__lots_allocated') }}
    union all
    select {{ cell }}, 0 as booked_cents, value_cents as allocated_cents from {{ ref('int_lot__flows_allocated') }}
)

select
    {{ cell }},
    sum(booked_cents) as booked_cents,
    sum(allocated_cents) as allocated_cents
from booked
group by {{ cell }}
having sum(booked_cents) <> sum(allocated_cents)
