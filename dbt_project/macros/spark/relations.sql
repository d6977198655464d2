{#
  How dbt-spark makes relations here: of the model's query as Spark reads it. A query that would read its common table
  expressions too often is made in steps, each a table of the schema `working`.
#}
{% macro spark__create_table_as(temporary, relation, compiled_code, language='sql') -%}
    {%- set steps = adapter.in_spark_steps(compiled_code, relation.identifier) -%}
    {%- for step in steps[:-1] -%}
        {%- do run_query('drop table if exists working.' ~ step[0]) -%}
        {%- do run_query('create table working.' ~ step[0] ~ ' using parquet as ' ~ step[1]) -%}
    {%- endfor -%}
    create table {{ relation }}
    using {{ config.get('file_format', 'parquet') }}
    {{ partition_cols(label='partitioned by') }}
    {{ location_clause() }}
    as
    {{ spark_as_contracted(steps[-1][1]) }}
{%- endmacro %}

{% macro spark__create_view_as(relation, sql) -%}
    create or replace view {{ relation }} as
    {{ adapter.in_spark_sql(sql) }}
{%- endmacro %}

{# The query's columns in the types of the contract: a sum of decimals has more digits on Spark than anybody needs. #}
{% macro spark_as_contracted(query) -%}
    {%- if config.get('contract').enforced -%}
        select
            {% for column in model.columns.values() -%}
                cast({{ column.name }} as {{ adapter.spark_type(column.data_type) }}) as {{ column.name }}{{ ',' if not loop.last }}
            {% endfor -%}
        from (
            {{ query }}
        ) as contracted
    {%- else -%}
        {{ query }}
    {%- endif -%}
{%- endmacro %}

{# Parquet tables hold no constraints: what must not be null is looked for once the table is made. #}
{% macro spark__persist_constraints(relation, model) -%}
    {%- if config.get('contract').enforced -%}
        {%- set required = [] -%}
        {%- for column in model.columns.values() if column.constraints | selectattr('type', 'equalto', 'not_null') | list -%}
            {%- do required.append(column.name) -%}
        {%- endfor -%}
        {%- if required -%}
            {%- set counts = [] -%}
            {%- for name in required -%}{%- do counts.append('count(' ~ name ~ ') as ' ~ name) -%}{%- endfor -%}
            {%- set found = run_query('select count(*) as row_count, ' ~ counts | join(', ') ~ ' from ' ~ relation).rows[0] -%}
            {%- for name in required if found[name] < found['row_count'] -%}
                {{ exceptions.raise_compiler_error(
                    relation ~ '.' ~ name ~ ' must not be null (its contract) and is in '
                    ~ (found['row_count'] - found[name]) ~ ' rows. What to do: mend the model or the data that it reads.'
                ) }}
            {%- endfor -%}
        {%- endif -%}
    {%- endif -%}
{%- endmacro %}

{# A seed in one statement, its texts quoted; dbt-spark makes three and quotes none. #}
{% macro spark__create_csv_table(model, agate_table) -%}
    {%- call statement('_') -%}
        create table {{ this.render() }} using parquet as
        {{ adapter.seed_as_query(agate_table, model['config'].get('column_types', {})) }}
    {%- endcall -%}
    {{ return('') }}
{%- endmacro %}

{% macro spark__load_csv_rows(model, agate_table) -%}
    {{ return('') }}
{%- endmacro %}
