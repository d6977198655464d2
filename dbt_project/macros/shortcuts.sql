{# What analysts join most often, as macros of the warehouse: each is the post-hook of the model that it reads. #}

{# A registration's row of dim_registration on a day: valid from it, and not yet to it. #}
{% macro valid_on(day) -%}
    valid_from <= cast({{ day }} as date) and coalesce(valid_to > cast({{ day }} as date), true)
{%- endmacro %}

{% macro registry_on_macro() -%}
    {{ analysts_macro(
        'registry_on', ['valid_on'], 'table',
        'select * from ' ~ this ~ ' where ' ~ valid_on('valid_on'),
        'Cada inscripción como estaba en un día, según lo que se sabe ahora: filas de dim_registration',
        'Every registration as it stood on a day, by what is known now: rows of dim_registration'
    ) }}
{%- endmacro %}

{% macro known_on_macro() -%}
    {{ analysts_macro(
        'registry_known_on', ['known_on', 'valid_on'], 'table', registry_known_on(),
        'Lo que se creía en un día o momento (known_on) de otro día (valid_on): columnas de dim_registration',
        'What was believed on a day or at a moment (known_on) about another day (valid_on): columns of dim_registration'
    ) }}
{%- endmacro %}

{% macro purge_macro() -%}
    {%- set evaluations -%}
    (
        select distinct
            rule_set_code,
            cast(evaluated_on as date) as evaluation_date,
            required_codes,
            max_suspended_days,
            grace_days,
            true as is_hypothetical
        from {{ ref('purge_rule_sets') }}
        where rule_set_code = rule_set
    )
    {%- endset -%}
    {{ analysts_macro(
        'purge_simulated_on', ['evaluated_on', 'rule_set'], 'table', purge_simulated(evaluations),
        'Quién saldría si una regla de purge_rule_sets se aplicara en un día: columnas de mart_purge_simulation',
        'Who would be out if a rule of purge_rule_sets were applied on a day: columns of mart_purge_simulation'
    ) }}
{%- endmacro %}

{% macro price_on_macro() -%}
    {{ analysts_macro(
        'price_on', ['price_day'], 'table',
        'select * from ' ~ this ~ ' where price_date = cast(price_day as date)',
        'Cobre, plata, oro y dólar de un día, una fila medida y otra simulada, con la serie y la fecha de la fila usada '
        ~ '(DAILY: de ese día; CARRIED: de la última cotización; MONTHLY: del mes)',
        'Copper, silver, gold and dollar of a day, a measured row and a simulated one, with the series and the date of the '
        ~ 'row used (DAILY: of that day; CARRIED: of the last quotation; MONTHLY: of the month)'
    ) }}
{%- endmacro %}

{% macro usd_per_t_macro() -%}
    {{ analysts_macro(
        'usd_per_t', ['amount_usd', 'copper_t'], '', per_unit('amount_usd', 'copper_t'),
        'US$ por tonelada de cobre contenido; vacío donde no hay cobre. Se suma antes de dividir',
        'US$ per tonne of contained copper; null where there is no copper. Add up before dividing'
    ) }}
{%- endmacro %}

{% macro contained_copper_macro() -%}
    {{ analysts_macro(
        'contained_copper_t', ['mass_dmt', 'cu_pct'], '', contained('mass_dmt', 'cu_pct'),
        'Toneladas de cobre contenidas en toneladas secas de una ley en %',
        'Tonnes of copper contained in dry tonnes of a grade in %'
    ) }}
{%- endmacro %}

{% macro lot_list_payments_macro() -%}
    {%- set payments -%}
    with {{ transfers_with_basis() }},

    of_lot as (
        select
            transfer_key, kind_code, lot_key, basis_code, payee_role_code, payer_role_code, value_usd, value_low_usd,
            value_high_usd, value_basis_code, is_synthetic
        from transfers
        union all
        select
            transfer_key, kind_code, lot_key, 'LOT' as basis_code, payee_role_code, payer_role_code, value_usd, value_low_usd,
            value_high_usd, value_basis_code, is_synthetic
        from {{ ref('int_lot__flows_imputed') }}
    ),

    on_its_way as (
        select *
        from of_lot
        where
            list_contains(lots, lot_key)
            or lot_key in (select lot_key from {{ ref('int_lot__shares') }} where list_contains(lots, origin_lot_key))
    ),

    {{ allocated_over_origins('on_its_way', per=['transfer_key', 'lot_key']) }}

    select * from allocated
    where list_contains(lots, lot_key) or list_contains(lots, origin_lot_key)
    {%- endset -%}
    {{ analysts_macro(
        'lot_list_payments', ['lots'], 'table', payments,
        'Lo mismo que lot_payments de una lista de lotes, de una vez',
        'The same as lot_payments of a list of lots, at once'
    ) }}
{%- endmacro %}

{% macro lot_payments_macro() -%}
    {{ analysts_macro(
        'lot_payments', ['lot'], 'table', 'select * from marts.lot_list_payments([lot])',
        'Pagos de un lote y de los lotes a los que llegó su cobre, uno por uno, con la parte de cada lote de origen en céntimos',
        'Payments on a lot and on the lots that its copper came into, one by one, with each origin lot\'s part in cents'
    ) }}
{%- endmacro %}
