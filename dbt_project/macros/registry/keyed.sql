{#
  Every row of the files that are used, with the key of its registration. The map layer carries the registry's own
  code; the listing does not, so its rows are matched on party and mining right (on the place in free area), over all
  codes that the map ever showed for them. Where one person has several registrations on the same right the pairing
  is a convention (`ambiguous`), kept and counted, and without a state where theirs differ; a row that no map file
  ever showed keeps a key of its own (`natural`). Of rows that repeat the registration within the file one stands for
  all: the first one with a code, or else the first one whose code was shown first.

  `paired_from` is the first file that shows the code to which a row is matched (0 where the row has it itself), and
  `ambiguous_from` the file from which on the match is a convention: what was known up to a file can be told from both.
#}
{% macro registry_keyed(rows, files, places, codes) -%}
{% set kept = [
    'party_key', 'mining_right_id_ingemmet', 'is_free_area', 'place_code', 'department_code', 'activity_code',
    'inscription_year', 'layout_code', 'source_as_of', 'ingested_at', 'landing_sha256', 'row_number'
] -%}
{% set is_plain = 'files.uncoded_count = 0 and files.repeated_count = 0' -%}
-- files in which every row has a code of its own, which are most
select
    file_number,
    is_synthetic,
    reinfo_key as registration_key,
    'code' as key_method,
    cast(0 as bigint) as paired_from,
    cast(null as bigint) as ambiguous_from,
    status_code,
    {{ kept | join(', ') }},
    cast(0 as bigint) as repeated_count
from ({{ registry_listed(rows, files, places, is_plain) }}) as plain

union all

select * exclude (nth_in_file)
from (
    select
        *,
        count(*) over (partition by file_number, is_synthetic, registration_key) - 1 as repeated_count,
        row_number() over (
            partition by file_number, is_synthetic, registration_key order by paired_from, row_number
        ) as nth_in_file
    from (
        select
            numbered.file_number,
            numbered.is_synthetic,
            coalesce(
                numbered.reinfo_key,
                codes.reinfo_key,
                {{ registry_natural_key('numbered.party_key', 'numbered.right_code', 'numbered.nth') }}
            ) as registration_key,
            case
                when numbered.reinfo_key is not null then 'code'
                when codes.reinfo_key is null then 'natural'
                when numbered.of_these = 1 and second_codes.reinfo_key is null then 'matched'
                else 'ambiguous'
            end as key_method,
            case when numbered.reinfo_key is not null then 0 else codes.file_number end as paired_from,
            case
                when codes.reinfo_key is null then null
                when numbered.of_these > 1 then 0
                else second_codes.file_number
            end as ambiguous_from,
            -- which of several registrations a listed state belongs to is not known where the states differ
            case when numbered.reinfo_key is not null or numbered.has_one_state then numbered.status_code end
                as status_code,
            {% for column in kept -%}
                numbered.{{ column }}{{ ',' if not loop.last }}
            {% endfor %}
        from (
            select
                *,
                -- null where the row has its code itself: nothing is sought for it
                case when reinfo_key is null then party_key end as sought_party_key,
                row_number() over (natural_key order by reinfo_key, row_number) as nth,
                count(*) over natural_key as of_these,
                coalesce(min(status_code) over natural_key = max(status_code) over natural_key, true) as has_one_state
            from (
                select
                    listed.*,
                    {{ registry_right('listed') }} as right_code
                from (
                    {{ registry_listed(rows, files, places, 'not (' ~ is_plain ~ ')') }}
                ) as listed
            ) as with_right
            window natural_key as (partition by file_number, is_synthetic, party_key, right_code)
        ) as numbered
        left join {{ codes }} as codes
            on
                numbered.sought_party_key = codes.party_key
                and numbered.right_code = codes.right_code
                and numbered.is_synthetic = codes.is_synthetic
                and numbered.nth = codes.code_number
        left join {{ codes }} as second_codes
            on
                numbered.sought_party_key = second_codes.party_key
                and numbered.right_code = second_codes.right_code
                and numbered.is_synthetic = second_codes.is_synthetic
                and second_codes.code_number = 2
    ) as paired
) as counted
where nth_in_file = 1
{%- endmacro %}
