{#
  Tables that a model fills before it is made, named without a schema; queries on them too. They are the connection's own
  where the engine has such; elsewhere they stand in a schema `working`, which goes when the build ends.
#}
{% macro make_working_table(name, query) -%}
    {%- do adapter.dispatch('make_working_table', 'antawasi')(name, query) -%}
{%- endmacro %}

{% macro duckdb__make_working_table(name, query) -%}
    {%- do run_query('create or replace temporary table ' ~ name ~ ' as ' ~ query) -%}
{%- endmacro %}

{% macro spark__make_working_table(name, query) -%}
    {%- do drop_working_table(name) -%}
    {%- do run_query('create table working.' ~ name ~ ' using parquet as ' ~ adapter.in_spark_sql(query)) -%}
{%- endmacro %}

{% macro add_to_working_table(name, query) -%}
    {%- do adapter.dispatch('add_to_working_table', 'antawasi')(name, query) -%}
{%- endmacro %}

{% macro duckdb__add_to_working_table(name, query) -%}
    {%- do run_query('insert into ' ~ name ~ ' ' ~ query) -%}
{%- endmacro %}

{% macro spark__add_to_working_table(name, query) -%}
    {%- do run_query('insert into working.' ~ name ~ ' ' ~ adapter.in_spark_sql(query)) -%}
{%- endmacro %}

{% macro drop_working_table(name) -%}
    {%- do adapter.dispatch('drop_working_table', 'antawasi')(name) -%}
{%- endmacro %}

{% macro duckdb__drop_working_table(name) -%}
    {%- do run_query('drop table ' ~ name) -%}
{%- endmacro %}

{% macro spark__drop_working_table(name) -%}
    {%- do run_query('drop table if exists working.' ~ name) -%}
{%- endmacro %}

{% macro query_working_tables(query) -%}
    {{ return(adapter.dispatch('query_working_tables', 'antawasi')(query)) }}
{%- endmacro %}

{% macro duckdb__query_working_tables(query) -%}
    {{ return(run_query(query)) }}
{%- endmacro %}

{% macro spark__query_working_tables(query) -%}
    {{ return(run_query(adapter.in_spark_sql(query))) }}
{%- endmacro %}
