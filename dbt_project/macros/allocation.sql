{#
  The CTE `allocated`: every amount of the CTE `transfers` shared over the origin lots of the lot that it is booked on, summed
  by origin, kind, roles and basis, and by the columns `per` of `transfers` as well. Whole cents, exact per transfer: an origin
  has its copper's part, cut towards zero, and the largest origin what the cuts leave over. Bounds lie as far from the value as
  their own part, rounded outwards, so that they stay bounds; of an origin whose part is not sure, at its least part of the one
  and its largest of the other. A part lies between zero and the whole, and so do its bounds: what cannot be below zero has no part
  below it. A lot without a genealogy is its own origin: no money is lost.

  `transfers` has transfer_key, kind_code, lot_key, basis_code (see int_lot__shares), payee_role_code, payer_role_code, value_usd,
  value_low_usd, value_high_usd, value_basis_code, is_synthetic.
#}
{% macro allocated_over_origins(transfers, per=[]) -%}
{%- set flow = ['kind_code', 'payee_role_code', 'payer_role_code', 'value_basis_code'] -%}
{%- set codes = per + flow -%}
-- By number: four texts on each of many shares are most of what there would be to hold and to group by.
numbered as (
    select
        *,
        row_number() over (order by {{ codes | join(', ') }}) as flow_number
    from (select distinct {{ codes | join(', ') }} from {{ transfers }}) as found
),

in_cents as (
    select
        transfers.transfer_key,
        numbered.flow_number,
        transfers.lot_key,
        transfers.basis_code,
        {{ whole_cents('transfers.value_usd') }} as whole_cents,
        {{ whole_cents('transfers.value_usd') }} - {{ whole_cents('transfers.value_low_usd') }} as below_cents,
        {{ whole_cents('transfers.value_high_usd') }} - {{ whole_cents('transfers.value_usd') }} as above_cents,
        transfers.is_synthetic
    from {{ transfers }} as transfers
    inner join numbered
        on
            {% for code in codes -%}
                {{ 'and ' if not loop.first }}transfers.{{ code }} = numbered.{{ code }}
            {% endfor %}
),

-- Grouped and joined back: a window over so many short groups takes twice as long.
rests as (
    select
        in_cents.transfer_key,
        max(in_cents.whole_cents)
        - sum({{ whole_part('in_cents.whole_cents', 'shares.copper_g', 'shares.lot_copper_g') }}) as rest_cents,
        in_cents.is_synthetic
    from in_cents
    inner join {{ ref('int_lot__shares') }} as shares
        on
            in_cents.lot_key = shares.lot_key
            and in_cents.basis_code = shares.basis_code
            and in_cents.is_synthetic = shares.is_synthetic
            and shares.origin_count > 1
    group by in_cents.transfer_key, in_cents.is_synthetic
),

with_rests as (
    select
        in_cents.*,
        coalesce(rests.rest_cents, 0) as rest_cents
    from in_cents
    left join rests
        on in_cents.transfer_key = rests.transfer_key and in_cents.is_synthetic = rests.is_synthetic
),

parts as (
    select
        whole.flow_number,
        whole.whole_cents,
        whole.below_cents,
        whole.above_cents,
        coalesce(shares.origin_lot_key, whole.lot_key) as origin_lot_key,
        coalesce(shares.copper_g, 1) as share_g,
        coalesce(shares.copper_low_g, 1) as share_low_g,
        coalesce(shares.copper_high_g, 1) as share_high_g,
        coalesce(shares.lot_copper_g, 1) as lot_g,
        coalesce(shares.origin_count, 1) as origin_count,
        coalesce(shares.is_largest, true) as is_largest,
        {{ whole_part('whole.whole_cents', 'coalesce(shares.copper_g, 1)', 'coalesce(shares.lot_copper_g, 1)') }}
        + case when coalesce(shares.is_largest, true) then whole.rest_cents else 0 end as value_cents,
        whole.is_synthetic
    from with_rests as whole
    left join {{ ref('int_lot__shares') }} as shares
        on
            whole.lot_key = shares.lot_key
            and whole.basis_code = shares.basis_code
            and whole.is_synthetic = shares.is_synthetic
),

summed as (
    select
        origin_lot_key,
        flow_number,
        cast(sum(value_cents) as bigint) as value_cents,
        cast(sum(greatest(
            value_cents
            - {{ outer_part('below_cents') }}
            - {{ unsure_part('(whole_cents - below_cents)', 'share_g - share_low_g', 'share_high_g - share_g') }},
            least(whole_cents - below_cents, 0)
        )) as bigint) as low_cents,
        cast(sum(least(
            value_cents
            + {{ outer_part('above_cents') }}
            + {{ unsure_part('(whole_cents + above_cents)', 'share_high_g - share_g', 'share_g - share_low_g') }},
            greatest(whole_cents + above_cents, 0)
        )) as bigint) as high_cents,
        count(*) as transfer_count,
        is_synthetic
    from parts
    group by origin_lot_key, flow_number, is_synthetic
),

allocated as (
    select
        {% for code in per + ['origin_lot_key'] + flow -%}
            {{ 'summed' if code == 'origin_lot_key' else 'numbered' }}.{{ code }},
        {% endfor -%}
        summed.value_cents,
        summed.low_cents,
        summed.high_cents,
        summed.transfer_count,
        summed.is_synthetic
    from summed
    inner join numbered
        on summed.flow_number = numbered.flow_number
)
{%- endmacro %}

{#
  CTEs of all transfers with the genealogy over which they are shared, basis_code: milling is booked on a campaign's tailings and
  shared over all that it was fed, where that is known. The last one is `transfers`.
#}
{% macro transfers_with_basis() -%}
fed as (
    select distinct
        lot_key,
        is_synthetic
    from {{ ref('int_lot__shares') }}
    where basis_code = 'FEED'
),

transfers as (
    select
        paid.*,
        case when paid.kind_code = 'MILLING' and fed.lot_key is not null then 'FEED' else 'LOT' end as basis_code
    from {{ ref('fct_transfer') }} as paid
    left join fed
        on paid.lot_key = fed.lot_key and paid.is_synthetic = fed.is_synthetic
)
{%- endmacro %}

{#
  How far a bound of the part lies from it: the bound's own part, rounded up. What cuts leave over is below a cent for each
  origin and differs with the value, so the bounds of the largest origin lie that much further.
#}
{% macro outer_part(distance_cents) -%}
    case
        when {{ distance_cents }} = 0 then 0
        else {{ whole_part(distance_cents, 'share_g', 'lot_g') }}
            + case when is_largest then origin_count else 1 end
    end
{%- endmacro %}

{#
  How much further a bound lies where the part is not sure: the bound's own amount by the copper that may be missing from
  the part or come to it, of a credit the reverse; whose largest part it is may differ too, so the cents left over count.
#}
{% macro unsure_part(bound_cents, nearer_g, further_g) -%}
    case
        when share_high_g = share_low_g then 0
        else {{ whole_part(
            'abs(' ~ bound_cents ~ ')', 'case when ' ~ bound_cents ~ ' < 0 then ' ~ further_g ~ ' else ' ~ nearer_g ~ ' end', 'lot_g'
        ) }} + origin_count
    end
{%- endmacro %}
