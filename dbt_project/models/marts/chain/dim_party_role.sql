-- What each party does in the chain, as its papers show it, and from when to when: one row per party and role. A party
-- may have several roles; none is a licence, and what no paper shows is not here.
select
    party_key,
    role_code,
    first_date,
    last_date,
    paper_count as evidence_count,
    is_synthetic
from {{ ref('int_party__roles') }}
order by is_synthetic, role_code, party_key
