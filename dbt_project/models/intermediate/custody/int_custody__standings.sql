-- Every load and origin with two states of the registry on the day of the waybill: that of the registration on the
-- load's papers, and that of the producer's own. The producer's own is the one of the pit's papers where it is his;
-- else the best of all that he held that day, so that nobody stands worse for papers that show another's.
with producers as (
    select * from {{ ref('int_custody__producers') }}
),

standing as (
    select * from {{ ref('int_registration__standing') }}
),

of_paper as (
    select
        producers.*,
        standing.party_key as holder_key,
        coalesce(
            standing.registry_state, case when producers.paper_registration_key is not null then 'NO_FIGURA' end
        ) as paper_state,
        producers.custody_date > standing.may_change_after as paper_may_differ
    from producers
    left join standing
        on
            producers.paper_registration_key = standing.registration_key
            and producers.is_synthetic = standing.is_synthetic
            and producers.custody_date >= standing.valid_from
            and producers.custody_date < coalesce(standing.valid_to, date '9999-12-31')
),

-- The pit's papers, where the registration that they show is the producer's.
of_origin as (
    select
        producers.load_key,
        producers.origin_lot_key,
        standing.registration_key,
        standing.registry_state,
        producers.custody_date > standing.may_change_after as may_differ,
        producers.is_synthetic
    from producers
    inner join standing
        on
            producers.origin_registration_key = standing.registration_key
            and producers.producer_key = standing.party_key
            and producers.is_synthetic = standing.is_synthetic
            and producers.custody_date >= standing.valid_from
            and producers.custody_date < coalesce(standing.valid_to, date '9999-12-31')
),

days as (
    select distinct
        producer_key,
        custody_date,
        is_synthetic
    from producers
    where producer_key is not null and custody_date is not null
),

held as (
    select
        days.*,
        standing.registration_key,
        standing.registry_state,
        days.custody_date > standing.may_change_after as may_differ,
        row_number() over (
            partition by days.producer_key, days.custody_date, days.is_synthetic
            order by standing.standing_order, standing.registration_key
        ) as nth
    from days
    inner join standing
        on
            days.producer_key = standing.party_key
            and days.is_synthetic = standing.is_synthetic
            and days.custody_date >= standing.valid_from
            and days.custody_date < coalesce(standing.valid_to, date '9999-12-31')
),

-- Producers of each load, to tell a blend from another's registration.
crews as (
    select distinct
        load_key,
        producer_key,
        is_synthetic
    from producers
    where producer_key is not null
)

select
    of_paper.load_key,
    of_paper.origin_lot_key,
    of_paper.copper_g,
    of_paper.plant_key,
    of_paper.document_key,
    of_paper.custody_date,
    of_paper.producer_key,
    of_paper.paper_registration_key,
    of_paper.holder_key,
    of_paper.paper_state,
    case
        when of_paper.producer_key is null then null
        when of_origin.registration_key is not null then of_origin.registration_key
        -- whose registration it is nobody can say: it may be the producer's
        when of_paper.paper_state = 'NO_FIGURA' and of_paper.holder_key is null
            then of_paper.paper_registration_key
        else held.registration_key
    end as own_registration_key,
    case
        when of_paper.producer_key is null or of_paper.custody_date is null then null
        when of_origin.registration_key is not null then of_origin.registry_state
        when of_paper.paper_state = 'NO_FIGURA' and of_paper.holder_key is null then 'NO_FIGURA'
        else coalesce(held.registry_state, 'NO_FIGURA')
    end as own_state,
    case
        when of_paper.producer_key is null then 'NO_PRODUCER'
        when of_paper.paper_registration_key is null then 'NO_PAPER'
        when of_paper.holder_key is null then 'HOLDER_UNKNOWN'
        when of_paper.holder_key = of_paper.producer_key then 'OWN'
        when crews.producer_key is not null then 'CO_PRODUCER'
        else 'OTHER_PARTY'
    end as relation_code,
    coalesce(of_paper.paper_may_differ, false) or coalesce(of_origin.may_differ, held.may_differ, false)
        as may_differ,
    of_paper.is_synthetic
from of_paper
left join of_origin
    on
        of_paper.load_key = of_origin.load_key
        and of_paper.origin_lot_key = of_origin.origin_lot_key
        and of_paper.is_synthetic = of_origin.is_synthetic
left join held
    on
        of_paper.producer_key = held.producer_key
        and of_paper.custody_date = held.custody_date
        and of_paper.is_synthetic = held.is_synthetic
        and held.nth = 1
left join crews
    on
        of_paper.load_key = crews.load_key
        and of_paper.holder_key = crews.producer_key
        and of_paper.is_synthetic = crews.is_synthetic
