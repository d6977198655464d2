-- stock_end = stock_start + new + returned - excluded - absent, by month and department. A corrected department moves a
-- registration between stocks, so the identity is held where none was corrected, and over all departments always.
with departments as (
    select * from {{ ref('mart_registry_stock_flow') }}
),

whole as (
    select
        month,
        is_synthetic,
        sum(stock_start) as stock_start,
        sum(new_count + returned_count - excluded_count - absent_count) as net_count,
        sum(stock_end) as stock_end
    from departments
    group by month, is_synthetic
)

select * from whole
where stock_end <> stock_start + net_count
