{#
  A text in capitals, without accents and with every digit written as 0. Texts that differ by numbers alone share one
  mask and every character keeps its place, so patterns are tried on a few masks instead of on every text, and what
  they find is cut out of the text by its place.
#}
{% macro masked(text) -%}
    translate({{ plain(text) }}, '123456789', '000000000')
{%- endmacro %}

{% macro plain(text) -%}
    upper({{ unaccented(text) }})
{%- endmacro %}

{# How near two amounts are: 1 where they are equal, 0 at the tolerance; null where one is not known. #}
{% macro nearness(a, b, tolerance) -%}
    1 - abs(cast({{ a }} as double) - cast({{ b }} as double))
    / nullif(greatest(abs(cast({{ a }} as double)), abs(cast({{ b }} as double))) * cast({{ tolerance }} as double), 0)
{%- endmacro %}

{#
  CTEs that pair rows one to one, best score first; the last is `{{ name }}`. `pairs` has the columns of `left`, of
  `right`, score and tie. Every round takes the pairs in which each side is the other's best: repeated, that is the
  greedy choice. `tie` must be all but random: were it ordered, of many equal pairs each round would take only one.
#}
{% macro one_to_one(name, pairs, left, right, rounds=8) -%}
{%- set ends = (left + right) | unique | join(', ') %}
{%- for n in range(1, rounds + 1) %}
{%- set rest = pairs if n == 1 else name ~ '_rest_' ~ n %}
{%- if n > 1 %}
{{ rest }} as (
    select pairs.*
    from {{ pairs if n == 2 else name ~ '_rest_' ~ (n - 1) }} as pairs
    left join {{ name }}_taken_{{ n - 1 }} as of_left
        on {% for column in left %}pairs.{{ column }} = of_left.{{ column }}{{ ' and ' if not loop.last }}{% endfor %}
    left join {{ name }}_taken_{{ n - 1 }} as of_right
        on {% for column in right %}pairs.{{ column }} = of_right.{{ column }}{{ ' and ' if not loop.last }}{% endfor %}
    where of_left.{{ left[0] }} is null and of_right.{{ right[0] }} is null
),
{% endif %}
{{ name }}_taken_{{ n }} as (
    select {{ ends }}, score
    from (
        select
            *,
            row_number() over (partition by {{ left | join(', ') }} order by score desc, tie) as left_rank,
            row_number() over (partition by {{ right | join(', ') }} order by score desc, tie) as right_rank
        from {{ rest }}
    ) as ranked_{{ n }}
    where left_rank = 1 and right_rank = 1
),
{% endfor %}
{{ name }} as (
{%- for n in range(1, rounds + 1) %}
    select {{ ends }}, score from {{ name }}_taken_{{ n }}
    {{ 'union all' if not loop.last }}
{%- endfor %}
)
{%- endmacro %}

{# How near a number of days is to the usual one of a rule, 0 to 1; the window of the rule is as wide as it gets. #}
{% macro date_nearness(days) -%}
    (1 - abs({{ days }} - usual_lag_days) / cast(days_before + days_after + 1 as double))
{%- endmacro %}

{# The key of a transfer: kind, lot and both sides. #}
{% macro transfer_key(of='') -%}
    {%- set p = of ~ '.' if of else '' -%}
    md5(concat(
        {{ p }}kind_code, ' ', {{ p }}lot_key, ' ', {{ p }}payee_key, ' ', coalesce({{ p }}payer_key, '-'), ' ',
        {{ p }}is_synthetic
    ))
{%- endmacro %}

{#
  What the owner of a lot is: its operator; a plant by its campaigns, a collector by his heaps (of a lot that was mixed in one, also
  where the papers show his biller alone), a trader by his exports and purchases; else an operator too.
#}
{% macro owner_role(party, roles) -%}
    case
        when {{ party }} = valued.operator_key then 'OPERATOR'
        when {{ roles }}.is_plant then 'PLANT'
        when {{ roles }}.is_collector or heaps.lot_key is not null then 'COLLECTOR'
        when {{ roles }}.is_trader then 'TRADER'
        else 'OPERATOR'
    end
{%- endmacro %}

{# Ways of tying a voucher to its lot, the surest first: by key, named, scored (int_document__matched). #}
{% macro method_rank(method_code) -%}
    case {{ method_code }} when 'SCORED' then 3 when 'NAMED' then 2 else 1 end
{%- endmacro %}

{# CTE `roles`: which parties are plants, collectors, traders. #}
{% macro roles_cte() -%}
roles as (
    select
        party_key,
        is_synthetic,
        max(case when role_code = 'PLANT' then 1 else 0 end) = 1 as is_plant,
        max(case when role_code = 'COLLECTOR' then 1 else 0 end) = 1 as is_collector,
        max(case when role_code = 'TRADER' then 1 else 0 end) = 1 as is_trader
    from {{ ref('int_party__roles') }}
    group by party_key, is_synthetic
)
{%- endmacro %}

{#
  What owner_role reads: CTEs `roles` and `heaps` (lots that a collector's heap became), and their joins to `transfer`, as
  `payees`, `payers` and `heaps`.
#}
{% macro role_ctes() -%}
{{ roles_cte() }},

heaps as (
    select distinct
        lot_key,
        is_synthetic
    from {{ ref('int_lot__batch_lines') }}
    where is_heap and stream_code = 'PRODUCT'
)
{%- endmacro %}

{% macro role_joins(transfer) -%}
left join roles as payees
    on {{ transfer }}.payee_key = payees.party_key and {{ transfer }}.is_synthetic = payees.is_synthetic
left join roles as payers
    on {{ transfer }}.payer_key = payers.party_key and {{ transfer }}.is_synthetic = payers.is_synthetic
left join heaps on {{ transfer }}.lot_key = heaps.lot_key and {{ transfer }}.is_synthetic = heaps.is_synthetic
{%- endmacro %}

{# In what role a transfer is received. `transfer` has kind_code, payee_key and operator_key; `roles` are the payee's. #}
{% macro payee_role(transfer, roles) -%}
    case
        when {{ transfer }}.kind_code = 'HAULAGE' then 'HAULIER'
        when {{ transfer }}.kind_code = 'LABORATORY' then 'LABORATORY'
        when {{ transfer }}.kind_code = 'BILLER_FEE' then 'BILLER'
        when {{ transfer }}.kind_code = 'CONCESSION_FEE' then 'CONCESSION_HOLDER'
        when {{ transfer }}.kind_code = 'EXPORT' then 'TRADER'
        when {{ transfer }}.kind_code = 'MILLING' then 'PLANT'
        when {{ transfer }}.kind_code = 'ORE_AT_PIT' then 'OPERATOR'
        when {{ transfer }}.kind_code = 'ORE_BETWEEN_COLLECTORS' then 'COLLECTOR'
        else {{ owner_role(transfer ~ '.payee_key', roles) }}
    end
{%- endmacro %}

{# In what role a transfer is paid. `transfer` has kind_code, payer_key and operator_key; `roles` are the payer's. #}
{% macro payer_role(transfer, roles) -%}
    case
        when {{ transfer }}.kind_code = 'EXPORT' then 'ABROAD'
        when {{ transfer }}.kind_code = 'CONCENTRATE' then 'TRADER'
        when {{ transfer }}.kind_code = 'ORE_AT_PLANT' then 'PLANT'
        when {{ transfer }}.kind_code in ('ORE_AT_PIT', 'ORE_BETWEEN_COLLECTORS') then 'COLLECTOR'
        when {{ transfer }}.kind_code = 'CONCESSION_FEE' then 'OPERATOR'
        else {{ owner_role(transfer ~ '.payer_key', roles) }}
    end
{%- endmacro %}

{#
  Which deal a payment is of, null where it is of either: a plant that buys the ore sells the product; ore that is milled for
  another stays his.
#}
{% macro deal_of(kind, payee_role) -%}
    case
        when {{ kind }} = 'ORE_AT_PLANT' or ({{ kind }} = 'CONCENTRATE' and {{ payee_role }} = 'PLANT') then 'BOUGHT'
        when {{ kind }} in ('CONCENTRATE', 'MILLING') then 'TOLL'
    end
{%- endmacro %}
