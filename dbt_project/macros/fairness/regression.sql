{#
  Least squares with a mean of its own for every cell, by the theorem of Frisch, Waugh and Lovell: the CTE `partialled_out`
  is `sales` with, for every outcome, a column <outcome>_rest: what neither the cell nor the regressors explain. Regressors
  are taken out one after the other, each freed of those before it first, which is the joint regression. A regressor that
  does not vary within cells takes nothing out. Sales alone in their cell say nothing and are left out.

  Args:
    sales: name of a CTE.
    group: columns, each combination of which has slopes of its own.
    cell: columns that with the group make a cell.
    regressors, outcomes: numeric columns, not null.
#}
{% macro partialled_out(sales, group, cell, regressors, outcomes) -%}
{%- set columns = regressors + outcomes -%}
in_cells as (
    select
        *,
        count(*) over (partition by {{ (group + cell) | join(', ') }}) as cell_count
    from {{ sales }}
),

step_0 as (
    select
        *,
        {% for column in columns -%}
            cast({{ column }} as double)
            - cast(sum({{ steady(column) }}) over cell_rows as double) / cell_count as {{ column }}_0
            {%- if not loop.last %},
            {% endif %}
        {%- endfor %}
    from in_cells
    where cell_count > 1
    window cell_rows as (partition by {{ (group + cell) | join(', ') }})
),
{% for regressor in regressors %}
{%- set before, after = loop.index0, loop.index %}

step_{{ after }} as (
    select
        *,
        {% for column in columns[after:] -%}
            {{ column }}_{{ before }} - {{ regressor }}_{{ before }} * coalesce(
                cast(sum({{ steady(regressor ~ '_' ~ before ~ ' * ' ~ column ~ '_' ~ before) }}) over group_rows as double)
                / nullif(cast(
                    sum({{ steady(regressor ~ '_' ~ before ~ ' * ' ~ regressor ~ '_' ~ before) }}) over group_rows as double
                ), 0), 0
            ) as {{ column }}_{{ after }}
            {%- if not loop.last %},
            {% endif %}
        {%- endfor %}
    from step_{{ before }}
    window group_rows as (partition by {{ group | join(', ') }})
),
{% endfor %}
partialled_out as (
    select
        *,
        {% for outcome in outcomes -%}
            {{ outcome }}_{{ regressors | length }} as {{ outcome }}_rest
            {%- if not loop.last %},
            {% endif %}
        {%- endfor %}
    from step_{{ regressors | length }}
)
{%- endmacro %}
