-- What of each sale's price (in logarithms of its share of the LME value) its circumstances do not explain: the stage,
-- form and month in which it was sold, its grade, its mass, and whether the registration was in force. The hedonic
-- residual.
with sales as (
    select * from {{ ref('int_sale__comparable') }}
),

{{ partialled_out(
    'sales',
    ['is_synthetic', 'kind_code'],
    ['product_form_code', 'month'],
    ['grade', 'log_mass', 'is_good_standing'],
    ['log_paid'],
) }}

select
    transfer_key,
    kind_code,
    year,
    seller_key,
    buyer_key,
    department_code,
    district_code,
    -- twelve places: what is left of a difference below them is the order in which an engine added
    cast({{ steady('log_paid_rest') }} as double) as log_paid_rest,
    is_synthetic
from partialled_out
