{{ config(post_hook=["{{ lot_list_payments_macro() }}", "{{ lot_payments_macro() }}"]) }}
-- Payments that the papers do not tell of, shared over origin lots like those that they do
-- (int_transfer__lots_allocated).
with flows as (
    select
        *,
        'LOT' as basis_code
    from {{ ref('int_lot__flows_imputed') }}
),

{{ allocated_over_origins('flows') }}

select * from allocated
