-- Every party of an observed transfer has the role that it plays there among its roles, and no role begins after it
-- ends. In what is imputed for lack of papers no paper may tell the role.
with parties as (
    select
        payee_key as party_key,
        payee_role_code as role_code,
        is_synthetic
    from {{ ref('fct_transfer') }}
    where value_basis_code = 'observed'

    union

    select
        payer_key as party_key,
        payer_role_code as role_code,
        is_synthetic
    from {{ ref('fct_transfer') }}
    where value_basis_code = 'observed' and payer_key is not null
)

select
    parties.party_key,
    parties.role_code,
    parties.is_synthetic
from parties
left join {{ ref('dim_party_role') }} as roles
    on
        parties.party_key = roles.party_key
        and parties.role_code = roles.role_code
        and parties.is_synthetic = roles.is_synthetic
where roles.party_key is null or coalesce(roles.first_date > roles.last_date, true)
