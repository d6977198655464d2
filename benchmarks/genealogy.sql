-- Origin lots by one DuckDB script, by hand: the rules of dbt_project/macros/dispatched/follow_lots.sql for papers that
-- do not go in circles. What stands between the marks runs once per level.
SET preserve_insertion_order = false;
ATTACH '$before' AS g (READ_ONLY);
CREATE TEMP TABLE nodes AS
SELECT row_number() OVER (ORDER BY is_synthetic, lot_key)::INTEGER AS node, lot_key, is_synthetic, copper_g
FROM g.intermediate.int_lot__ledger
WHERE copper_g IS NOT NULL;
CREATE TEMP TABLE arcs AS
SELECT f.node AS a, t.node AS b, e.copper_g
FROM (
    SELECT from_lot_key, to_lot_key, copper_g FROM g.intermediate.int_lot__edges
) AS e
JOIN (SELECT node, lot_key FROM nodes) AS f ON e.from_lot_key = f.lot_key
JOIN (SELECT node, lot_key FROM nodes) AS t ON e.to_lot_key = t.lot_key;
CREATE TEMP TABLE parts AS
SELECT node, node AS origin, copper_g, 1::DOUBLE AS share_frac
FROM nodes
WHERE node NOT IN (SELECT b FROM arcs);
-- //
CREATE OR REPLACE TEMP TABLE ready AS
SELECT b AS node, sum(copper_g) AS taken_g FROM arcs GROUP BY b HAVING count(*) FILTER (a IN (SELECT b FROM arcs)) = 0;
CREATE OR REPLACE TEMP TABLE taken AS
    SELECT arcs.b AS node, parts.origin, sum(round(arcs.copper_g * 1e6 * parts.share_frac)::BIGINT)::BIGINT AS copper_ug
    FROM arcs SEMI JOIN ready ON arcs.b = ready.node
    JOIN parts ON arcs.a = parts.node
    GROUP BY ALL
    UNION ALL
    SELECT node, node, ((copper_g - taken_g) * 1000000)::BIGINT FROM ready JOIN nodes USING (node) WHERE copper_g > taken_g;
CREATE OR REPLACE TEMP TABLE shared AS
SELECT t.*, lot_g, t.copper_ug::DOUBLE / total_ug AS share_frac
FROM taken AS t
JOIN (
    SELECT l.*, n.copper_g AS lot_g
    FROM (SELECT node, sum(copper_ug) AS total_ug FROM taken GROUP BY node) AS l JOIN nodes AS n USING (node)
) USING (node);
INSERT INTO parts
SELECT
    s.node,
    s.origin,
    (floor(s.lot_g * s.share_frac) + CASE WHEN s.origin = f.origin THEN f.left_g ELSE 0 END)::BIGINT,
    s.share_frac
FROM shared AS s
JOIN (
    SELECT
        node,
        max(lot_g) - sum(floor(lot_g * share_frac)::BIGINT) AS left_g,
        max_by(origin, copper_ug::HUGEINT * 4294967296 - origin) AS origin
    FROM shared
    GROUP BY node
) AS f USING (node);
CREATE OR REPLACE TEMP TABLE arcs AS SELECT * FROM arcs ANTI JOIN ready ON arcs.b = ready.node;
-- //
CREATE TABLE genealogy AS
SELECT n.lot_key, o.lot_key AS origin_lot_key, p.copper_g, p.share_frac, 0::BIGINT AS not_followed_g, n.is_synthetic
FROM parts AS p
JOIN nodes AS n ON p.node = n.node
JOIN nodes AS o ON p.origin = o.node;
