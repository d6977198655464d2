-- Settlement sheets that hold: of the newest files, and not replaced by a later sheet of the same buyer and stage,
-- which names them as its previous one. Beside each final sheet stands the provisional one that holds before it, to
-- which its previous sheets lead. One row per sheet: its key, and that of the provisional one.
with recursive sheets as (
    select * from {{ ref('stg_partner_settlements__settlements') }}
    where is_current
),

replacements as (
    select
        later.buyer_key,
        later.settlement_id,
        earlier.settlement_id as replaced_id,
        later.is_synthetic
    from sheets as later
    inner join sheets as earlier
        on
            later.buyer_key = earlier.buyer_key
            and later.previous_settlement_id = earlier.settlement_id
            and later.stage_code = earlier.stage_code
            and later.is_synthetic = earlier.is_synthetic
    where later.settlement_id <> earlier.settlement_id and later.settlement_date >= earlier.settlement_date
),

held as (
    select sheets.*
    from sheets
    left join replacements
        on
            sheets.buyer_key = replacements.buyer_key
            and sheets.settlement_id = replacements.replaced_id
            and sheets.is_synthetic = replacements.is_synthetic
    where replacements.replaced_id is null
),

-- Twenty times at most: sheets of one day may name one another in a circle.
replaced as (
    select
        replacements.buyer_key,
        replacements.replaced_id,
        held.settlement_id as held_id,
        1 as step,
        replacements.is_synthetic
    from replacements
    inner join held
        on {{ same_sheet('replacements', 'held') }}

    union all

    select
        replacements.buyer_key,
        replacements.replaced_id,
        replaced.held_id,
        replaced.step + 1 as step,
        replacements.is_synthetic
    from replaced
    inner join replacements
        on
            replaced.buyer_key = replacements.buyer_key
            and replaced.replaced_id = replacements.settlement_id
            and replaced.is_synthetic = replacements.is_synthetic
    where replaced.step < 20
),

-- Every sheet with the one that holds in its place.
versions as (
    select
        buyer_key,
        settlement_id,
        stage_code,
        previous_settlement_id,
        settlement_id as held_id,
        is_synthetic
    from held

    union all

    select
        sheets.buyer_key,
        sheets.settlement_id,
        sheets.stage_code,
        sheets.previous_settlement_id,
        replaced.held_id,
        sheets.is_synthetic
    from replaced
    inner join sheets
        on
            replaced.buyer_key = sheets.buyer_key
            and replaced.replaced_id = sheets.settlement_id
            and replaced.is_synthetic = sheets.is_synthetic
),

provisional as (
    select
        final.buyer_key,
        final.held_id as settlement_id,
        max(before.held_id) as provisional_settlement_id,
        final.is_synthetic
    from versions as final
    inner join versions as before
        on
            final.buyer_key = before.buyer_key
            and final.previous_settlement_id = before.settlement_id
            and final.is_synthetic = before.is_synthetic
    where final.stage_code = 'FINAL' and before.stage_code = 'PROVISIONAL'
    group by final.buyer_key, final.held_id, final.is_synthetic
)

select
    held.buyer_key,
    held.settlement_id,
    provisional.provisional_settlement_id,
    held.is_synthetic
from held
left join provisional
    on {{ same_sheet('held', 'provisional') }}
