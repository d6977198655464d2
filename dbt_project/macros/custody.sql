{#
  CTEs that follow lots back over `parents` (to_lot_key, from_lot_key, copper_g), step by step, until a lot of `loads` is
  reached; the last is `followed`: lot_key, at_key, copper_g. It begins at `step_0` (lot_key, at_key, copper_g, is_load).
  A loop of steps and not recursion: the parts are whole grams of what the step before left, which needs windows.
#}
{% macro followed_to_loads(parents, loads, steps) -%}
    entered as (
        select distinct
            to_lot_key,
            is_synthetic
        from {{ parents }}
    ),
    {%- for n in range(1, steps + 1) %}
    split_{{ n }} as (
        select
            step.lot_key,
            parents.from_lot_key as at_key,
            {{ grams_by_weight(
                'step.copper_g', 'parents.copper_g', ['step.lot_key', 'step.at_key', 'step.is_synthetic'],
                ['parents.from_lot_key']
            ) }} as copper_g,
            step.is_synthetic
        from step_{{ n - 1 }} as step
        inner join {{ parents }} as parents
            on step.at_key = parents.to_lot_key and step.is_synthetic = parents.is_synthetic
        where not step.is_load
    ),

    step_{{ n }} as (
        select
            split.lot_key,
            split.at_key,
            sum(split.copper_g) as copper_g,
            max(loads.lot_key) is not null as is_load,
            split.is_synthetic
        from split_{{ n }} as split
        left join {{ loads }} as loads
            on split.at_key = loads.lot_key and split.is_synthetic = loads.is_synthetic
        group by split.lot_key, split.at_key, split.is_synthetic
    ),
    {%- endfor %}
    followed as (
        {%- for n in range(steps + 1) %}
        select
            step.lot_key,
            step.at_key,
            step.copper_g,
            step.is_synthetic
        from step_{{ n }} as step
        {%- if n < steps %}
        left join entered
            on step.at_key = entered.to_lot_key and step.is_synthetic = entered.is_synthetic
        where step.is_load or entered.to_lot_key is null
        union all
        {%- endif %}
        {%- endfor %}
    )
{%- endmacro %}
