-- Laboratories of buyers that read low or high: their copper grades against the mean of the seller's and the umpire's
-- assays of the same lots, as a share of it. A laboratory is said to be biased when enough lots, the size of the
-- difference and its standard error all say so (ref_settlement_rule); a single lot proves nothing.
with pairs as (
    select
        buyer_laboratory_key as laboratory_key,
        is_synthetic,
        cast(
            round((buyer_cu_pct / {{ mean_grade('seller_cu_pct', 'umpire_cu_pct') }} - 1) * 1000000) as bigint
        ) as difference_ppm
    from {{ ref('int_settlement__evidence') }}
    where
        stage_code <> 'PROVISIONAL'
        and buyer_cu_pct is not null
        and coalesce(seller_cu_pct, umpire_cu_pct) > 0
),

-- Whole numbers, so that their sums do not depend on an order.
summed as (
    select
        laboratory_key,
        is_synthetic,
        count(*) as pair_count,
        cast(sum(difference_ppm) as double) as sum_ppm,
        cast(sum(difference_ppm * difference_ppm) as double) as sum_of_squares
    from pairs
    group by laboratory_key, is_synthetic
),

measured as (
    select
        laboratory_key,
        is_synthetic,
        pair_count,
        sum_ppm / pair_count / 1000000 as mean_difference_frac,
        sqrt(
            greatest(sum_of_squares - sum_ppm * sum_ppm / pair_count, 0) / nullif(pair_count - 1, 0) / pair_count
        ) / 1000000 as standard_error_frac
    from summed
)

select
    *,
    coalesce(
        pair_count >= {{ settlement_rule('ASSAY_PAIRS_LEAST') }}
        and abs(mean_difference_frac) >= {{ settlement_rule('ASSAY_BIAS_LEAST') }}
        and abs(mean_difference_frac) >= {{ settlement_rule('ASSAY_ERRORS_LEAST') }} * standard_error_frac,
        false
    ) as is_biased
from measured
order by is_synthetic, laboratory_key
