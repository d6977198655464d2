-- Every transfer, observed or imputed, shared over the origin lots of the lot that it is booked on; milling over all that
-- its campaign was fed. One row for each transfer and origin; the rows of a transfer sum to it, to the cent (a test).
with transfers as (
    select
        *,
        case when kind_code = 'MILLING' then 'FEED' else 'LOT' end as basis_code
    from {{ ref('fct_transfer') }}
),

{{ allocated_over_origins('transfers') }}

select * from allocated
