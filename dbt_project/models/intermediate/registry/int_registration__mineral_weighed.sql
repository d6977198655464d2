-- For every registration with evidence, family of evidence and mineral: the logarithm of how likely that evidence is if
-- the mineral is the true one. A piece that is right with probability w gives the minerals that it leaves possible
-- their shares of w (seed mineral_codes), and each other one (1 - w) / (how many others). Beyond a number of pieces of
-- one kind, more of them do not count more, only their mix does. Weights: seed mineral_evidence_rules.
with pieces as (
    select
        evidence.registration_key,
        evidence.evidence_code,
        evidence.says_code,
        evidence.is_synthetic,
        rules.family_code,
        cast(rules.weight_frac as double) as weight_frac,
        count(*) * least(
            1.0, rules.max_count * 1.0 / sum(count(*)) over (
                partition by evidence.registration_key, evidence.evidence_code, evidence.is_synthetic
            )
        ) as counted
    from {{ ref('int_registration__mineral_evidence') }} as evidence
    inner join {{ ref('mineral_evidence_rules') }} as rules on evidence.evidence_code = rules.evidence_code
    group by
        evidence.registration_key, evidence.evidence_code, evidence.says_code, evidence.is_synthetic,
        rules.family_code, rules.weight_frac, rules.max_count
),

minerals as (
    select distinct mineral_code from {{ ref('mineral_codes') }}
),

-- Which minerals each saying leaves possible.
left_possible as (
    select
        sayings.says_code,
        minerals.mineral_code,
        cast(codes.share_frac as double) as share_frac,
        count(codes.mineral_code) over (partition by sayings.says_code) as possible_count,
        count(*) over (partition by sayings.says_code) as mineral_count
    from (select distinct says_code from {{ ref('mineral_codes') }}) as sayings
    cross join minerals
    left join {{ ref('mineral_codes') }} as codes
        on sayings.says_code = codes.says_code and minerals.mineral_code = codes.mineral_code
)

select
    pieces.registration_key,
    pieces.family_code,
    left_possible.mineral_code,
    sum(
        pieces.counted * ln(
            case
                when left_possible.share_frac is not null then pieces.weight_frac * left_possible.share_frac
                else (1 - pieces.weight_frac) / (left_possible.mineral_count - left_possible.possible_count)
            end
        )
        order by pieces.evidence_code, pieces.says_code
    ) as log_likelihood,
    bool_or(left_possible.possible_count = 1) as names_one_mineral,
    pieces.is_synthetic
from pieces
inner join left_possible on pieces.says_code = left_possible.says_code
group by pieces.registration_key, pieces.family_code, left_possible.mineral_code, pieces.is_synthetic
