-- The periods in which an end of the regime held follow one another without gap or overlap, from the first day of the
-- law that created the registry on, and the last one is open.
with periods as (
    select
        event_code,
        valid_from,
        valid_to,
        lag(valid_to) over (order by valid_from) as previous_to,
        lead(valid_from) over (order by valid_from) as next_from,
        row_number() over (order by valid_from) as nth
    from {{ ref('ref_legal_deadline') }}
    where deadline_code = 'REGIME_END'
),

created as (
    select valid_from as first_date from {{ ref('ref_legal_regime') }}
    where event_code = 'DL_1293'
)

select
    periods.event_code,
    periods.valid_from,
    periods.valid_to
from periods
cross join created
where
    (periods.nth = 1 and periods.valid_from <> created.first_date)
    or (periods.nth > 1 and periods.previous_to is null)
    or periods.valid_from <> periods.previous_to + interval 1 day
    or (periods.next_from is not null and periods.valid_to is null)
    or (periods.next_from is null and periods.valid_to is not null)
    or periods.valid_to < periods.valid_from
