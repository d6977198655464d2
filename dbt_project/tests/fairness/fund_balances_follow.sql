-- A fund's month begins with what the month before left, its movements add up to the cent, and no more is withheld than
-- producers owe.
with months as (
    select
        tariff_code,
        month,
        opening_usd,
        interest_usd,
        fees_usd,
        support_usd,
        withholdable_usd,
        withheld_usd,
        closing_usd,
        owed_usd,
        is_synthetic,
        lag(closing_usd) over (partition by tariff_code, is_synthetic order by month) as closing_before_usd
    from {{ ref('mart_buyer_fund') }}
)

select
    tariff_code,
    month,
    is_synthetic
from months
where
    opening_usd + interest_usd - fees_usd - support_usd + withheld_usd <> closing_usd
    or closing_before_usd <> opening_usd
    or owed_usd < 0
    or withheld_usd > withholdable_usd
    or (support_usd > 0 and owed_usd < support_usd - withheld_usd)
