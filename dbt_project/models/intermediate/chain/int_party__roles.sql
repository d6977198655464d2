-- What each party does in the chain, as its papers show; a party may do several things. Who runs campaigns is a plant,
-- who exports or buys a plant's product a trader, who weighs or mixes lots from pits, or sells ore that another mined,
-- a collector; who invoices a share of ore under a contract holds a concession.
with tickets as (
    select
        tickets.weighing_party_key,
        tickets.supplier_key,
        tickets.operator_key,
        tickets.carrier_key,
        tickets.invoicing_party_key,
        forms.lot_kind_code,
        cast(tickets.weighed_in_at as date) as told_date,
        tickets.is_synthetic
    from {{ ref('stg_partner_weigh_tickets__tickets') }} as tickets
    left join {{ ref('int_lot__code_forms') }} as forms
        on {{ masked('tickets.lot_id') }} = forms.masked_code
    where tickets.is_current
),

sheets as (
    select
        buyer_key,
        seller_key,
        operator_key,
        invoicing_party_key,
        product_form_code in ('CONCENTRADO', 'CEMENTO', 'CATODO') as is_product,
        settlement_date as told_date,
        is_synthetic
    from {{ ref('stg_partner_settlements__settlements') }}
    where is_current
),

told as (
    select
        plant_key as party_key,
        case contract_kind_code when 'MEZCLA' then 'COLLECTOR' else 'PLANT' end as role_code,
        ended_date as told_date,
        is_synthetic
    from {{ ref('stg_partner_campaigns__lines') }}
    where is_current

    union all

    select
        exporter_key as party_key,
        'TRADER' as role_code,
        declaration_date as told_date,
        is_synthetic
    from {{ ref('stg_partner_exports__lines') }}
    where is_current

    union all

    select
        weighing_party_key as party_key,
        'COLLECTOR' as role_code,
        told_date,
        is_synthetic
    from tickets
    where lot_kind_code = 'PIT'

    union all

    select
        supplier_key as party_key,
        'COLLECTOR' as role_code,
        told_date,
        is_synthetic
    from tickets
    where supplier_key <> operator_key

    union all

    select
        operator_key as party_key,
        'OPERATOR' as role_code,
        told_date,
        is_synthetic
    from tickets

    union all

    select
        carrier_key as party_key,
        'HAULIER' as role_code,
        told_date,
        is_synthetic
    from tickets

    union all

    select
        invoicing_party_key as party_key,
        'BILLER' as role_code,
        told_date,
        is_synthetic
    from tickets
    where invoicing_party_key <> supplier_key

    union all

    select
        buyer_key as party_key,
        case when is_product then 'TRADER' else 'PLANT' end as role_code,
        told_date,
        is_synthetic
    from sheets

    union all

    select
        seller_key as party_key,
        'COLLECTOR' as role_code,
        told_date,
        is_synthetic
    from sheets
    where seller_key <> operator_key

    union all

    select
        operator_key as party_key,
        'OPERATOR' as role_code,
        told_date,
        is_synthetic
    from sheets

    union all

    select
        invoicing_party_key as party_key,
        'BILLER' as role_code,
        told_date,
        is_synthetic
    from sheets
    where invoicing_party_key <> seller_key

    union all

    select
        holder_key as party_key,
        'CONCESSION_HOLDER' as role_code,
        start_date as told_date,
        is_synthetic
    from {{ ref('stg_partner_contracts__contracts') }}
    where is_current

    union all

    select
        operator_key as party_key,
        'OPERATOR' as role_code,
        start_date as told_date,
        is_synthetic
    from {{ ref('stg_partner_contracts__contracts') }}
    where is_current

    union all

    -- The buyer's own laboratory is no independent one.
    select
        laboratory_key as party_key,
        'LABORATORY' as role_code,
        certificate_date as told_date,
        is_synthetic
    from {{ ref('stg_partner_assays__certificates') }}
    where is_current and requested_by_code <> 'COMPRADOR'

    union all

    select
        issuer_key as party_key,
        case
            when subject_code = 'CONCESSION_FEE' then 'CONCESSION_HOLDER'
            when document_type_code = '31' then 'HAULIER'
            else 'TRADER'
        end as role_code,
        issue_date as told_date,
        is_synthetic
    from {{ ref('int_document__read') }}
    where
        subject_code = 'CONCESSION_FEE'
        or (subject_code in ('ORE', 'PRODUCT') and document_type_code = '31')
        or (subject_code = 'PRODUCT' and counterparty_kind = 'FOREIGN_TAX')
)

select
    party_key,
    role_code,
    min(told_date) as first_date,
    max(told_date) as last_date,
    count(*) as paper_count,
    is_synthetic
from told
where party_key is not null
group by party_key, role_code, is_synthetic
