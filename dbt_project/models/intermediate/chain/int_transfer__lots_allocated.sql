-- Every transfer, observed or imputed, shared over the origin lots of the lot that it is booked on; milling over all
-- that its campaign was fed. One row for each transfer and origin; the rows of a transfer sum to it, to the cent (a
-- test).
with fed as (
    select distinct
        lot_key,
        is_synthetic
    from {{ ref('int_lot__shares') }}
    where basis_code = 'FEED'
),

transfers as (
    select
        transfers.*,
        case when transfers.kind_code = 'MILLING' and fed.lot_key is not null then 'FEED' else 'LOT' end as basis_code
    from {{ ref('fct_transfer') }} as transfers
    left join fed
        on transfers.lot_key = fed.lot_key and transfers.is_synthetic = fed.is_synthetic
),

{{ allocated_over_origins('transfers') }}

select * from allocated
