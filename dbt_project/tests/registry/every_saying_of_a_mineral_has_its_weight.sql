-- A piece of evidence of a kind or with a saying that the seeds do not know would be dropped in silence.
with sayings as (
    select distinct says_code from {{ ref('mineral_codes') }}
)

select
    evidence.evidence_code,
    evidence.says_code,
    count(*) as evidence_count
from {{ ref('int_registration__mineral_evidence') }} as evidence
left join {{ ref('mineral_evidence_rules') }} as rules on evidence.evidence_code = rules.evidence_code
left join sayings on evidence.says_code = sayings.says_code
where rules.evidence_code is null or sayings.says_code is null
group by evidence.evidence_code, evidence.says_code
