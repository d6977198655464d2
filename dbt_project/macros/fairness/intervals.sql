{#
  The 97.5 % quantile of Student's t, for two-sided intervals of 95 %: the expansion of Cornish and Fisher about the normal
  quantile (Abramowitz and Stegun 26.7.5) up to the fourth power, right to 0.001 from four degrees of freedom on; null
  below.
#}
{% macro student_t(degrees) -%}
    {%- set z = 1.959963984540054 -%}
    {%- set terms = [
        (z ** 3 + z) / 4,
        (5 * z ** 5 + 16 * z ** 3 + 3 * z) / 96,
        (3 * z ** 7 + 19 * z ** 5 + 17 * z ** 3 - 15 * z) / 384,
        (79 * z ** 9 + 776 * z ** 7 + 1482 * z ** 5 - 1920 * z ** 3 - 945 * z) / 92160,
    ] -%}
    case
        when {{ degrees }} >= 4
            then {{ z }}
                {% for term in terms -%}
                + {{ term }} / power(cast({{ degrees }} as double), {{ loop.index }})
                {% endfor -%}
    end
{%- endmacro %}

{#
  What a variance that counts clusters is multiplied by where they are few (CR1): G / (G - 1) x (N - 1) / (N - K), of G
  clusters, N rows and K parameters. Null where nothing is left to vary.
#}
{% macro few_clusters(clusters, rows, parameters) -%}
    case
        when {{ clusters }} > 1 and {{ rows }} > {{ parameters }}
            then cast({{ clusters }} as double) / ({{ clusters }} - 1) * ({{ rows }} - 1) / ({{ rows }} - {{ parameters }})
    end
{%- endmacro %}
