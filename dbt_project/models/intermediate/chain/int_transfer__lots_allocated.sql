-- What of all transfers, observed or imputed, falls to an origin lot, each shared over the origins of the lot that it
-- is booked on: one row for each origin, kind, roles and basis. To the cent it is what the transfers are (a test).
with {{ transfers_with_basis() }},

{{ allocated_over_origins('transfers') }}

select * from allocated
