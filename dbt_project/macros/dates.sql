{#
  The last day on which an event can have been whose date is known by its day (DIA), its month (MES) or its year (ANIO)
  and is written as the first day of that.
#}
{% macro last_day_stated(date, precision) -%}
    case {{ precision }}
        when 'ANIO' then make_date(extract(year from {{ date }}), 12, 31)
        when 'MES' then last_day({{ date }})
        else {{ date }}
    end
{%- endmacro %}
