-- What each party does in the chain, as its papers show; a party may do several things. Who runs campaigns is a plant,
-- who exports or buys a plant's product a trader, who weighs or mixes lots from pits a collector.
with told as (
    select
        plant_key as party_key,
        case contract_kind_code when 'MEZCLA' then 'COLLECTOR' else 'PLANT' end as role_code,
        is_synthetic
    from {{ ref('stg_partner_campaigns__lines') }}
    where is_current

    union all

    select
        exporter_key as party_key,
        'TRADER' as role_code,
        is_synthetic
    from {{ ref('stg_partner_exports__lines') }}
    where is_current

    union all

    select
        buyer_key as party_key,
        case when product_form_code in ('CONCENTRADO', 'CEMENTO', 'CATODO') then 'TRADER' else 'PLANT' end as role_code,
        is_synthetic
    from {{ ref('stg_partner_settlements__settlements') }}
    where is_current

    union all

    select
        tickets.weighing_party_key as party_key,
        'COLLECTOR' as role_code,
        tickets.is_synthetic
    from {{ ref('stg_partner_weigh_tickets__tickets') }} as tickets
    inner join {{ ref('int_lot__code_forms') }} as forms
        on {{ masked('tickets.lot_id') }} = forms.masked_code and forms.lot_kind_code = 'PIT'
    where tickets.is_current

    union all

    select
        operator_key as party_key,
        'OPERATOR' as role_code,
        is_synthetic
    from {{ ref('stg_partner_weigh_tickets__tickets') }}
    where is_current

    union all

    select
        carrier_key as party_key,
        'HAULIER' as role_code,
        is_synthetic
    from {{ ref('stg_partner_weigh_tickets__tickets') }}
    where is_current

    union all

    select
        invoicing_party_key as party_key,
        'BILLER' as role_code,
        is_synthetic
    from {{ ref('stg_partner_weigh_tickets__tickets') }}
    where is_current and invoicing_party_key <> supplier_key

    union all

    select
        operator_key as party_key,
        'OPERATOR' as role_code,
        is_synthetic
    from {{ ref('stg_partner_settlements__settlements') }}
    where is_current

    union all

    select
        invoicing_party_key as party_key,
        'BILLER' as role_code,
        is_synthetic
    from {{ ref('stg_partner_settlements__settlements') }}
    where is_current and invoicing_party_key <> seller_key

    union all

    select
        holder_key as party_key,
        'CONCESSION_HOLDER' as role_code,
        is_synthetic
    from {{ ref('stg_partner_contracts__contracts') }}
    where is_current

    union all

    select
        operator_key as party_key,
        'OPERATOR' as role_code,
        is_synthetic
    from {{ ref('stg_partner_contracts__contracts') }}
    where is_current

    union all

    -- The buyer's own laboratory is no independent one.
    select
        laboratory_key as party_key,
        'LABORATORY' as role_code,
        is_synthetic
    from {{ ref('stg_partner_assays__certificates') }}
    where is_current and requested_by_code <> 'COMPRADOR'

    union all

    select
        case
            when subject_code in ('ORE', 'PRODUCT') and document_type_code = '31' then issuer_key
            when subject_code = 'PRODUCT' and counterparty_kind = 'FOREIGN_TAX' then issuer_key
        end as party_key,
        case when document_type_code = '31' then 'HAULIER' else 'TRADER' end as role_code,
        is_synthetic
    from {{ ref('int_document__read') }}
    where subject_code in ('ORE', 'PRODUCT')
)

select
    party_key,
    role_code,
    count(*) as paper_count,
    is_synthetic
from told
where party_key is not null
group by party_key, role_code, is_synthetic
