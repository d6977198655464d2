-- Origin lots whose part in plants' products is not sure, since no assay tells how much of an ore that they are in is
-- soluble: by how much less or more of a product may be theirs, as a factor. Copper passes such a step once: what a
-- plant made is recovered alike, whatever it holds. The widest of the campaigns counts.
select
    genealogy.origin_lot_key,
    cast(min(cast(won.won_low_g as double) / won.won_g) as decimal(9, 6)) as low_factor,
    cast(max(cast(won.won_high_g as double) / won.won_g) as decimal(9, 6)) as high_factor,
    won.is_synthetic
from {{ ref('int_lot__won') }} as won
inner join {{ ref('int_lot__genealogy') }} as genealogy
    on won.lot_key = genealogy.lot_key and won.is_synthetic = genealogy.is_synthetic
where won.won_g > 0 and (won.won_low_g < won.won_g or won.won_high_g > won.won_g)
group by genealogy.origin_lot_key, won.is_synthetic
