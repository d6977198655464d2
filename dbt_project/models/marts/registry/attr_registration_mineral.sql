{{ config(meta={'trace': {
    'parent': 'int_registration__mineral_evidence', 'on': ['registration_key', 'is_synthetic'],
}}) }}
-- The mineral of every registration, attributed: the registry has no such column. How likely its own evidence is under
-- each mineral (int_registration__mineral_weighed) times how common the mineral is around it (Bayes). Around it: the
-- shares among the other registrations whose evidence names a mineral, overall, drawn towards those of its district
-- and then of its mining right the more of them there are. A registration with evidence is first judged on copper,
-- then given the likelier of copper alone and copper with gold; one without is given its neighbours' mineral only if
-- that is more likely than all others together.
{% set strength = rule_value('mineral_attribution_rules', 'NEIGHBOUR_STRENGTH') %}
{% set least = rule_value('mineral_attribution_rules', 'MIN_CONFIDENCE_FRAC') %}
with minerals as (
    select distinct mineral_code from {{ ref('mineral_codes') }}
),

weighed as (
    select * from {{ ref('int_registration__mineral_weighed') }}
),

totals as (
    select
        registration_key,
        mineral_code,
        sum(log_likelihood order by family_code) as log_likelihood,
        bool_or(names_one_mineral) as names_one_mineral,
        is_synthetic
    from weighed
    group by registration_key, mineral_code, is_synthetic
),

-- What the own evidence alone says; in decimals, so that its sums do not depend on the order of rows.
own as (
    select
        *,
        likelihood / sum(likelihood) over (partition by registration_key, is_synthetic) as own_frac
    from (
        select
            *,
            exp(
                log_likelihood - max(log_likelihood) over (partition by registration_key, is_synthetic)
            ) as likelihood
        from totals
    ) as scaled
),

registrations as (
    select
        registration_key,
        is_synthetic,
        max(place_code) as place_code,
        max(mining_right_id_ingemmet) as mining_right_id_ingemmet
    from (
        select
            registration_key,
            is_synthetic,
            place_code,
            mining_right_id_ingemmet
        from {{ ref('dim_registration') }}
        where is_current

        union all

        select distinct
            registration_key,
            is_synthetic,
            cast(null as varchar) as place_code,
            cast(null as varchar) as mining_right_id_ingemmet
        from weighed
    ) as known
    group by registration_key, is_synthetic
),

each_mineral as (
    select
        registrations.*,
        minerals.mineral_code,
        own.likelihood,
        cast(case when own.names_one_mineral then own.own_frac else 0 end as decimal(12, 9)) as named_frac
    from registrations
    cross join minerals
    left join own
        on
            registrations.registration_key = own.registration_key
            and registrations.is_synthetic = own.is_synthetic
            and minerals.mineral_code = own.mineral_code
),

-- The named ones around each registration, without itself.
others as (
    select
        *,
        cast(sum(named_frac) over (partition by is_synthetic, mineral_code) - named_frac as double) as in_all,
        cast(sum(named_frac) over (partition by is_synthetic, place_code, mineral_code) - named_frac as double)
            as in_place,
        cast(
            case
                when mining_right_id_ingemmet is null then 0
                else
                    sum(named_frac) over (partition by is_synthetic, mining_right_id_ingemmet, mineral_code)
                    - named_frac
            end as double
        ) as in_right
    from each_mineral
),

overall as (
    select
        *,
        -- one of each mineral is imagined, so that none is impossible
        (in_all + 1) / sum(in_all + 1) over registration as all_frac,
        sum(in_place) over registration as place_count,
        sum(in_right) over registration as right_count
    from others
    window registration as (partition by registration_key, is_synthetic)
),

around as (
    select
        *,
        (in_right + {{ strength }} * place_frac) / (right_count + {{ strength }}) as prior_frac
    from (
        select
            *,
            (in_place + {{ strength }} * all_frac) / (place_count + {{ strength }}) as place_frac
        from overall
    ) as of_places
),

weighted as (
    select
        *,
        prior_frac * coalesce(likelihood, 1) as weight
    from around
),

judged as (
    select
        *,
        weight / sum(weight) over (partition by registration_key, is_synthetic) as confidence
    from weighted
),

ranked as (
    select
        registration_key,
        is_synthetic,
        count(likelihood) > 0 as has_evidence,
        round(sum(confidence) filter (where mineral_code in ('COBRE', 'COBRE_ORO')), 6) as copper_frac,
        arg_max(mineral_code, (round(confidence, 6), mineral_code)) as first_code,
        round(max(confidence), 6) as first_frac,
        arg_max(mineral_code, (round(confidence, 6), mineral_code)) filter (
            where mineral_code in ('COBRE', 'COBRE_ORO')
        ) as copper_code,
        round(max(confidence) filter (where mineral_code in ('COBRE', 'COBRE_ORO')), 6) as copper_code_frac
    from judged
    group by registration_key, is_synthetic
),

likeliest as (
    select
        registration_key,
        is_synthetic,
        has_evidence,
        copper_frac,
        case when has_evidence and copper_frac >= {{ least }} then copper_code else first_code end as mineral_code,
        case
            when has_evidence and copper_frac >= {{ least }} then copper_code_frac
            else first_frac
        end as confidence_frac,
        copper_frac >= {{ least }} and has_evidence or first_frac >= {{ least }} as is_enough
    from ranked
),

families as (
    select
        *,
        max(log_likelihood) over (partition by registration_key, family_code, is_synthetic) as most_likely
    from weighed
),

-- Families of evidence of which the mineral is the likeliest, or one of the likeliest.
supporting as (
    select
        likeliest.registration_key,
        likeliest.is_synthetic,
        min(families.family_code) as family_code,
        count(*) as family_count
    from likeliest
    inner join families
        on
            likeliest.registration_key = families.registration_key
            and likeliest.is_synthetic = families.is_synthetic
            and likeliest.mineral_code = families.mineral_code
    where families.log_likelihood >= families.most_likely - 1e-9
    group by likeliest.registration_key, likeliest.is_synthetic
),

counted as (
    select
        registration_key,
        is_synthetic,
        count(*) as evidence_count,
        min(evidence_date) as first_evidence_date,
        max(evidence_date) as last_evidence_date
    from {{ ref('int_registration__mineral_evidence') }}
    group by registration_key, is_synthetic
),

attributed as (
    select
        likeliest.registration_key,
        likeliest.is_synthetic,
        likeliest.mineral_code,
        likeliest.confidence_frac,
        likeliest.copper_frac,
        supporting.family_code,
        supporting.family_count,
        -- where the own evidence contradicts itself, the neighbours do not decide
        likeliest.is_enough and (supporting.family_count is not null or not likeliest.has_evidence) as is_attributed
    from likeliest
    left join supporting
        on
            likeliest.registration_key = supporting.registration_key
            and likeliest.is_synthetic = supporting.is_synthetic
)

select
    attributed.registration_key,
    case when attributed.is_attributed then attributed.mineral_code else 'SIN_ATRIBUIR' end as mineral_code,
    case
        when not attributed.is_attributed then 'NINGUNO'
        when attributed.family_count > 1 then 'VARIOS'
        else coalesce(attributed.family_code, 'VECINDAD')
    end as method_code,
    cast(case when attributed.is_attributed then attributed.confidence_frac end as decimal(7, 6)) as confidence_frac,
    cast(attributed.copper_frac as decimal(7, 6)) as copper_confidence_frac,
    coalesce(counted.evidence_count, 0) as evidence_count,
    counted.first_evidence_date,
    counted.last_evidence_date,
    attributed.is_synthetic
from attributed
left join counted
    on
        attributed.registration_key = counted.registration_key
        and attributed.is_synthetic = counted.is_synthetic
order by attributed.is_synthetic, attributed.registration_key
