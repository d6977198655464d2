-- What every lot on paper held, in whole grams of dry mass and copper, and of which paper each figure is
-- (mass_evidence_code: dry mass, grade and copper; wet_evidence_code). A lot that a campaign or heap made holds what
-- that line says, else what was fed of it, unless the sheet of its sale says that there was more: then a part is still
-- in stock.
with best as (
    select
        lot_key,
        min(first_date) as first_date,
        {% for column in [
            'product_form_code', 'mass_wmt', 'moisture_pct', 'cu_pct', 'soluble_frac', 'value_usd', 'plant_key',
            'operator_key', 'reinfo_key', 'mining_right_id_ingemmet', 'origin_ubigeo_code'
        ] -%}
            {{ best_told(column) }} as {{ column }},
        {% endfor -%}
        min_by(evidence_code, evidence_rank) filter (where mass_wmt is not null) as wet_evidence_code,
        {% for paper in ['MADE', 'FED'] -%}
            min(mass_dmt) filter (where evidence_code = '{{ paper }}') as {{ paper | lower }}_dmt,
            min(copper_g) filter (where evidence_code = '{{ paper }}') as {{ paper | lower }}_copper_g,
        {% endfor -%}
        min_by(mass_dmt, evidence_rank) filter (
            where mass_dmt is not null and evidence_code not in ('MADE', 'FED')
        ) as sold_dmt,
        min_by(copper_g, evidence_rank) filter (
            where mass_dmt is not null and evidence_code not in ('MADE', 'FED')
        ) as sold_copper_g,
        min_by(evidence_code, evidence_rank) filter (
            where mass_dmt is not null and evidence_code not in ('MADE', 'FED')
        ) as sold_evidence_code,
        bool_or(evidence_code in ('EXPORTED', 'EXPORTED_PROVISIONAL')) as is_exported,
        is_synthetic
    from {{ ref('int_lot__papers') }}
    group by lot_key, is_synthetic
),

judged as (
    select
        *,
        made_copper_g is null and sold_dmt > fed_dmt * (1 + {{ lot_rule('LOT_TOLERANCE_FRAC') }}) as is_partly_fed,
        cast(mass_wmt * (1 - moisture_pct * 0.01) as decimal(18, 6)) as weighed_dmt
    from best
),

held as (
    select
        *,
        case
            when made_dmt is not null then made_dmt
            when fed_dmt is not null and not coalesce(is_partly_fed, false) then fed_dmt
            when sold_dmt is not null then sold_dmt
            else weighed_dmt
        end as held_dmt,
        case
            when made_copper_g is not null then made_copper_g
            when fed_copper_g is not null and not coalesce(is_partly_fed, false) then fed_copper_g
            when is_partly_fed and fed_dmt > 0 then cast(round(fed_copper_g * (sold_dmt / fed_dmt)) as bigint)
            when sold_copper_g is not null then sold_copper_g
            else cast(round(weighed_dmt * cu_pct * 10000) as bigint)
        end as copper_g,
        case
            when made_copper_g is not null then 'MADE'
            when fed_copper_g is not null and not coalesce(is_partly_fed, false) then 'FED'
            when sold_copper_g is not null then sold_evidence_code
            when weighed_dmt is not null then 'WEIGHED'
        end as mass_evidence_code
    from judged
)

select
    lot_key,
    first_date,
    product_form_code,
    mass_wmt,
    wet_evidence_code,
    cast(held_dmt * 1000000 as bigint) as mass_g,
    copper_g,
    mass_evidence_code,
    made_copper_g,
    cast(made_dmt * 1000000 as bigint) as made_mass_g,
    fed_copper_g,
    cast(fed_dmt * 1000000 as bigint) as fed_mass_g,
    cast(sold_dmt * 1000000 as bigint) as sold_mass_g,
    cu_pct,
    soluble_frac,
    value_usd,
    plant_key,
    operator_key,
    reinfo_key,
    mining_right_id_ingemmet,
    origin_ubigeo_code,
    is_exported,
    is_synthetic
from held
