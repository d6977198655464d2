{#
  Decomposes every lot into its origin lots: working tables for int_lot__genealogy, filled level by level. A level is the
  lots all of whose feed is decomposed already; as many levels as the data have. In a level, what a lot took from each feed
  is split as the feed itself is, and summed per lot and origin: never one row per path.

  Where no lot is left whose feed is decomposed, the rest goes in circles or comes after a circle. Edges between lots that
  feed one another (strongly connected), and of lots into themselves, are not followed: the copper that came by them begins
  at the lot itself.

  lot_nodes   node (whole number, in the order of the keys), lot_key, is_synthetic, copper_g
  lot_parts   node, origin (node), copper_g (whole grams, the largest origin takes what is left over), share_frac
  lot_cuts    node, copper_g that came into it by edges that are not followed

  Args:
    lots: relation with lot_key, copper_g (null: nothing to decompose), is_synthetic.
    edges: relation with from_lot_key, to_lot_key, copper_g (whole grams), is_synthetic; what comes into a lot is its copper.
#}
{% macro follow_lots(lots, edges) -%}
    {%- if execute -%}
        {%- do follow_lots_by_level(lots, edges) -%}
    {%- endif -%}
{%- endmacro %}

{% macro follow_lots_by_level(lots, edges) -%}
    {%- do make_working_table('lot_nodes', "
        select
            cast(row_number() over (order by is_synthetic, lot_key) as int) as node,
            lot_key,
            is_synthetic,
            copper_g
        from " ~ lots ~ "
        where copper_g is not null") -%}
    {#- One end at a time: joined at once, both ends share is_synthetic, and DuckDB may cross all lots with all lots. -#}
    {%- do make_working_table('lot_arcs_fed', "
        select
            feeds.node as from_node,
            edges.to_lot_key,
            edges.is_synthetic,
            edges.copper_g
        from " ~ edges ~ " as edges
        inner join lot_nodes as feeds
            on edges.from_lot_key = feeds.lot_key and edges.is_synthetic = feeds.is_synthetic") -%}
    {%- do make_working_table('lot_arcs_all', "
        select
            arcs.from_node,
            lots.node as to_node,
            arcs.copper_g
        from lot_arcs_fed as arcs
        inner join lot_nodes as lots
            on arcs.to_lot_key = lots.lot_key and arcs.is_synthetic = lots.is_synthetic") -%}
    {%- do drop_working_table('lot_arcs_fed') -%}
    {%- do make_working_table('lot_cuts', "
        select to_node as node, copper_g from lot_arcs_all where from_node = to_node") -%}
    {%- do make_working_table('lot_arcs_0', "
        select * from lot_arcs_all where from_node <> to_node") -%}
    {%- do drop_working_table('lot_arcs_all') -%}
    {%- do make_working_table('lot_parts', "
        select
            node,
            node as origin,
            copper_g,
            cast(1 as double) as share_frac
        from lot_nodes
        where node not in (select to_node from lot_arcs_0)") -%}
    {#- Jinja has no while, and no range longer than this -#}
    {%- for step in range(100000) -%}
        {%- set arcs, rest = 'lot_arcs_' ~ step, 'lot_arcs_' ~ (step + 1) -%}
        {%- if count_of(arcs) == 0 -%}{%- break -%}{%- endif -%}
        {%- if loop.last -%}
            {%- do exceptions.raise_compiler_error('Lots of more than 99999 levels: are lot codes used over and over?') -%}
        {%- endif -%}
        {%- do make_working_table('lot_ready', "
        select arcs.to_node as node
            from " ~ arcs ~ " as arcs
            left join (select distinct to_node from " ~ arcs ~ ") as waiting on arcs.from_node = waiting.to_node
            group by arcs.to_node
            having count(waiting.to_node) = 0") -%}
        {%- if count_of('lot_ready') > 0 -%}
            {%- do decompose_ready_lots(arcs, rest) -%}
        {%- else -%}
            {%- do cut_circles(arcs, rest) -%}
        {%- endif -%}
        {%- do drop_working_table(arcs) -%}
    {%- endfor -%}
{%- endmacro %}

{# Adds the parts of the lots in lot_ready to lot_parts; `rest` are the arcs into other lots. #}
{% macro decompose_ready_lots(arcs, rest) -%}
    {%- do make_working_table('lot_taken', "
        select
            arcs.to_node as node,
            parts.origin,
            -- in 64 bits, which a lot of nine million tonnes of copper would not fill: sums are of 128
            cast(sum(cast(round(arcs.copper_g * 1e6 * parts.share_frac) as bigint)) as bigint) as copper_ug
        from " ~ arcs ~ " as arcs
        inner join lot_ready as ready on arcs.to_node = ready.node
        inner join lot_parts as parts on arcs.from_node = parts.node
        group by arcs.to_node, parts.origin
        union all
        select
            nodes.node,
            nodes.node as origin,
            cast((max(nodes.copper_g) - sum(arcs.copper_g)) * 1000000 as bigint) as copper_ug
        from " ~ arcs ~ " as arcs
        inner join lot_ready as ready on arcs.to_node = ready.node
        inner join lot_nodes as nodes on arcs.to_node = nodes.node
        group by nodes.node
        having max(nodes.copper_g) > sum(arcs.copper_g)") -%}
    {#- Grouped sums, joined back: windows over so many short groups take half as long again. -#}
    {%- do make_working_table('lot_shared', "
        select
            taken.node,
            taken.origin,
            taken.copper_ug = totals.most_ug as is_largest,
            totals.lot_copper_g,
            cast(taken.copper_ug as double) / totals.copper_ug as share_frac
        from lot_taken as taken
        inner join (
            select
                lots.node,
                lots.copper_ug,
                lots.most_ug,
                nodes.copper_g as lot_copper_g
            from (
                select node, sum(copper_ug) as copper_ug, max(copper_ug) as most_ug from lot_taken group by node
            ) as lots
            inner join lot_nodes as nodes on lots.node = nodes.node
        ) as totals on taken.node = totals.node") -%}
    {%- do add_to_working_table('lot_parts', "
        select
            shared.node,
            shared.origin,
            cast(
                floor(shared.lot_copper_g * shared.share_frac)
                + case when shared.origin = firsts.origin then firsts.left_over_g else 0 end
            as bigint) as copper_g,
            shared.share_frac
        from lot_shared as shared
        inner join (
            select
                node,
                max(lot_copper_g) - sum(cast(floor(lot_copper_g * share_frac) as bigint)) as left_over_g,
                -- on ties the first
                min(case when is_largest then origin end) as origin
            from lot_shared
            group by node
        ) as firsts on shared.node = firsts.node") -%}
    {%- do make_working_table(rest, "
        select arcs.*
        from " ~ arcs ~ " as arcs
        left join lot_ready as ready on arcs.to_node = ready.node
        where ready.node is null") -%}
{%- endmacro %}

{#
  `rest` is `arcs` without those between lots that feed one another; lots into which none leads any more begin at
  themselves. A link is between such lots if both its ends reach, and are reached by, the same greatest node: links of
  which that is not so are taken away until it is so of all that are left.
#}
{% macro cut_circles(arcs, rest) -%}
    {%- do make_working_table('lot_links', "
        select distinct from_node, to_node from " ~ arcs) -%}
    {%- set links = namespace(count=-1) -%}
    {%- for round in range(100000) -%}
        {%- set left = count_of('lot_links') -%}
        {%- if left == links.count -%}{%- break -%}{%- endif -%}
        {%- set links.count = left -%}
        {%- do greatest_reached('lot_ahead', 'from_node', 'to_node') -%}
        {%- do greatest_reached('lot_behind', 'to_node', 'from_node') -%}
        {%- do make_working_table('lot_links_kept', "
        select links.*
            from lot_links as links
            inner join lot_ahead as ahead_of_from on links.from_node = ahead_of_from.node
            inner join lot_ahead as ahead_of_to on links.to_node = ahead_of_to.node
            inner join lot_behind as behind_from on links.from_node = behind_from.node
            inner join lot_behind as behind_to on links.to_node = behind_to.node
            where ahead_of_from.label = ahead_of_to.label and behind_from.label = behind_to.label") -%}
        {%- do make_working_table('lot_links', "
        select * from lot_links_kept") -%}
    {%- endfor -%}
    {%- do make_working_table(rest, "
        select arcs.*
        from " ~ arcs ~ " as arcs
        left join lot_links as links on arcs.from_node = links.from_node and arcs.to_node = links.to_node
        where links.from_node is null") -%}
    {%- do add_to_working_table('lot_cuts', "
        select arcs.to_node as node, arcs.copper_g
        from " ~ arcs ~ " as arcs
        inner join lot_links as links on arcs.from_node = links.from_node and arcs.to_node = links.to_node") -%}
    {%- do add_to_working_table('lot_parts', "
        select nodes.node, nodes.node as origin, nodes.copper_g, cast(1 as double) as share_frac
        from lot_nodes as nodes
        inner join (select distinct to_node from " ~ arcs ~ ") as waiting on nodes.node = waiting.to_node
        where nodes.node not in (select to_node from " ~ rest ~ ")") -%}
{%- endmacro %}

{# `table`: for each node of lot_links the greatest node (label) that it reaches by links from `start` to `end`. #}
{% macro greatest_reached(table, start, end) -%}
    {%- do make_working_table(table, "
        select from_node as node, from_node as label from lot_links
        union
        select to_node as node, to_node as label from lot_links") -%}
    {%- set labels = namespace(sum=-1) -%}
    {%- for step in range(100000) -%}
        {%- set sum = first_value_of("select sum(label) from " ~ table) -%}
        {%- if sum == labels.sum -%}{%- break -%}{%- endif -%}
        {%- set labels.sum = sum -%}
        {%- do make_working_table('lot_labels', "
        select
                own.node,
                greatest(own.label, coalesce(max(next.label), own.label)) as label
            from " ~ table ~ " as own
            left join lot_links as links on own.node = links." ~ start ~ "
            left join " ~ table ~ " as next on links." ~ end ~ " = next.node
            group by own.node, own.label") -%}
        {%- do make_working_table(table, "
        select * from lot_labels") -%}
    {%- endfor -%}
{%- endmacro %}

{% macro count_of(table) -%}
    {{ return(first_value_of("select count(*) from " ~ table)) }}
{%- endmacro %}

{% macro first_value_of(query) -%}
    {{ return(query_working_tables(query).columns[0].values()[0]) }}
{%- endmacro %}
