-- What was declared of each exported lot, on however many lines and declarations: masses, copper and FOB are sums of
-- the lines that hold, and it is regularised when all of them are. Exporter, number and date are those of the last
-- declaration. first_fob_usd is what the first one said first, provisional_fob_usd what the provisional versions said
-- together, where every declaration has one.
with declared as (
    select
        lot_key,
        declaration_id,
        min(case when is_held then exporter_key end) as exporter_key,
        min(case when is_held then version_code end) as version_code,
        min(case when is_held then declaration_date end) as declaration_date,
        min(case when is_held then shipped_date end) as shipped_date,
        min(case when is_held then product_form_code end) as product_form_code,
        sum(case when is_held then net_wmt end) as net_wmt,
        sum(case when is_held then net_dmt end) as net_dmt,
        sum(case when is_held then {{ wide('net_dmt') }} * cu_pct end) as copper_pct_t,
        sum(case when is_held then fob_usd end) as fob_usd,
        sum(case when version_code = 'PROVISIONAL' then fob_usd end) as provisional_fob_usd,
        is_synthetic
    from {{ ref('int_export__lines') }}
    where lot_key is not null
    group by lot_key, declaration_id, is_synthetic
),

ordered as (
    select
        *,
        row_number() over (
            partition by lot_key, is_synthetic order by declaration_date, declaration_id
        ) as nth,
        row_number() over (
            partition by lot_key, is_synthetic order by declaration_date desc, declaration_id desc
        ) as nth_last
    from declared
    where version_code is not null
)

select
    lot_key,
    max(case when nth_last = 1 then exporter_key end) as exporter_key,
    max(case when nth_last = 1 then declaration_id end) as declaration_id,
    max(declaration_date) as declaration_date,
    min(shipped_date) as shipped_date,
    case when count(case version_code when 'PROVISIONAL' then 1 end) = 0 then 'REGULARIZADA' else 'PROVISIONAL' end
        as version_code,
    min(product_form_code) as product_form_code,
    cast(sum(net_wmt) as decimal(18, 6)) as net_wmt,
    cast(sum(net_dmt) as decimal(18, 6)) as net_dmt,
    cast(sum(copper_pct_t) / nullif(sum(net_dmt), 0) as decimal(8, 4)) as cu_pct,
    cast(round(sum(copper_pct_t) * 10000) as bigint) as copper_g,
    cast(sum(fob_usd) as decimal(18, 2)) as fob_usd,
    max(case when nth = 1 then cast(coalesce(provisional_fob_usd, fob_usd) as decimal(18, 2)) end) as first_fob_usd,
    case when count(provisional_fob_usd) = count(*) then cast(sum(provisional_fob_usd) as decimal(18, 2)) end
        as provisional_fob_usd,
    is_synthetic
from ordered
group by lot_key, is_synthetic
