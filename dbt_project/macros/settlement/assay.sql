{#
  The grade that an exchange of assays gives. One assay alone holds. Two that differ by no more than the splitting limit
  give their mean; beyond it the umpire decides: MEDIA_CERCANA, the mean of the umpire's and the nearer party's (the
  buyer's where both are as near), MEDIANA, the middle one of the three. Null where an umpire is due and there is none. C9.
#}
{% macro exchanged_grade(buyer, seller, umpire, splitting_limit, umpire_rule_code) -%}
    cast(case
        when {{ buyer }} is null or {{ seller }} is null then coalesce({{ buyer }}, {{ seller }})
        when abs({{ buyer }} - {{ seller }}) <= {{ splitting_limit }} then {{ mean_grade(buyer, seller) }}
        when {{ umpire }} is null then null
        when {{ umpire_rule_code }} = 'MEDIANA'
            then
                {{ buyer }} + {{ seller }} + {{ umpire }}
                - greatest({{ buyer }}, {{ seller }}, {{ umpire }}) - least({{ buyer }}, {{ seller }}, {{ umpire }})
        when abs({{ buyer }} - {{ umpire }}) <= abs({{ seller }} - {{ umpire }}) then {{ mean_grade(buyer, umpire) }}
        else {{ mean_grade(seller, umpire) }}
    end as decimal(12, 4))
{%- endmacro %}

{# Mean of two assays; of one where the other is missing. Grades without a splitting limit of their own are settled so. #}
{% macro mean_grade(buyer, seller) -%}
    cast((coalesce({{ buyer }}, {{ seller }}) + coalesce({{ seller }}, {{ buyer }})) * 0.5 as decimal(12, 4))
{%- endmacro %}
