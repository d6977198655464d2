-- The registry's history by one DuckDB script, by hand: the rules of dbt_project/macros/registry for files in which no
-- code is listed twice, with every row held in memory once and nothing kept for a later append.
CREATE TEMP TABLE files AS
SELECT
    *,
    row_number() OVER (PARTITION BY is_synthetic ORDER BY source_as_of, layout_code) AS n
FROM (
    SELECT
        _landing_sha256 AS landing_sha256,
        _is_synthetic AS is_synthetic,
        layout_code,
        _source_as_of AS source_as_of,
        min(_ingested_at) AS ingested_at,
        count(*) - count(reinfo_key) AS uncoded_count
    FROM read_parquet($paths)
    GROUP BY ALL
)
QUALIFY row_number() OVER (
    PARTITION BY is_synthetic, layout_code, source_as_of ORDER BY ingested_at DESC, landing_sha256
) = 1;

CREATE TEMP MACRO listed(coded) AS TABLE
SELECT
    f.n,
    f.is_synthetic,
    r.reinfo_key,
    r.party_key,
    r.mining_right_id_ingemmet,
    r.is_free_area,
    coalesce(p.ubigeo_code, r.department_name) AS place_code,
    coalesce(p.department_code, r.department_code) AS department_code,
    r.activity_code,
    r.status_code,
    r.inscription_year,
    r._row_number AS row_number,
    coalesce(r.mining_right_id_ingemmet, 'AREA LIBRE|' || coalesce(p.ubigeo_code, r.department_name)) AS right_code
FROM read_parquet($paths) AS r
JOIN files AS f
    ON r._landing_sha256 = f.landing_sha256 AND r._source_as_of = f.source_as_of AND (f.uncoded_count = 0) = coded
LEFT JOIN read_parquet($places) AS p
    ON r.department_name IS NOT DISTINCT FROM p.department_name
    AND r.province_name IS NOT DISTINCT FROM p.province_name
    AND r.district_name IS NOT DISTINCT FROM p.district_name;

CREATE TEMP TABLE keyed AS
SELECT
    * EXCLUDE (reinfo_key, right_code),
    reinfo_key AS k,
    'code' AS key_method,
    0::BIGINT AS paired_from,
    NULL::BIGINT AS ambiguous_from
FROM listed(true);

CREATE TEMP TABLE codes AS
SELECT *, row_number() OVER (PARTITION BY party_key, right_code, is_synthetic ORDER BY n, k) AS i
FROM (
    SELECT
        party_key,
        coalesce(mining_right_id_ingemmet, 'AREA LIBRE|' || place_code) AS right_code,
        is_synthetic,
        k,
        min(n) AS n
    FROM keyed
    GROUP BY ALL
);

INSERT INTO keyed
SELECT
    u.* EXCLUDE (reinfo_key, right_code, i, of_these, has_one_state) REPLACE (
        CASE WHEN u.has_one_state THEN u.status_code END AS status_code
    ),
    coalesce(c.k, md5(md5(u.party_key || '|' || u.right_code) || '|' || u.i)),
    CASE
        WHEN c.k IS NULL THEN 'natural'
        WHEN u.of_these = 1 AND s.k IS NULL THEN 'matched'
        ELSE 'ambiguous'
    END,
    c.n,
    CASE WHEN c.k IS NULL THEN NULL WHEN u.of_these > 1 THEN 0 ELSE s.n END
FROM (
    SELECT
        *,
        row_number() OVER (w ORDER BY row_number) AS i,
        count(*) OVER w AS of_these,
        coalesce(min(status_code) OVER w = max(status_code) OVER w, true) AS has_one_state
    FROM listed(false)
    WINDOW w AS (PARTITION BY n, is_synthetic, party_key, right_code)
) AS u
LEFT JOIN codes AS c
    ON u.party_key = c.party_key AND u.right_code = c.right_code AND u.is_synthetic = c.is_synthetic AND u.i = c.i
LEFT JOIN codes AS s
    ON u.party_key = s.party_key AND u.right_code = s.right_code AND u.is_synthetic = s.is_synthetic AND s.i = 2;

CREATE TEMP TABLE repeated AS SELECT n, is_synthetic, k FROM keyed GROUP BY ALL HAVING count(*) > 1;
SELECT CASE WHEN count(*) > 0 THEN error('a registration is listed twice in a file') END FROM repeated;

CREATE TEMP TABLE judged AS
WITH expected AS (
    SELECT f.n, f.is_synthetic, p.k, max_by(p.department_code, p.n) AS department_code
    FROM files AS f
    JOIN keyed AS p
        ON f.is_synthetic = p.is_synthetic AND f.n > p.n AND f.n <= p.n + 3 AND f.n >= p.paired_from
        AND coalesce(f.n < p.ambiguous_from, true)
    WHERE p.key_method <> 'natural'
    GROUP BY ALL
    HAVING coalesce(max_by(p.status_code, p.n) = 'VIGENTE', true)
),
found AS (
    SELECT e.n, e.is_synthetic, e.department_code, count(*) AS expected_count, count(p.k) AS found_count
    FROM expected AS e
    LEFT JOIN keyed AS p ON e.n = p.n AND e.is_synthetic = p.is_synthetic AND e.k = p.k AND p.n >= p.paired_from
    GROUP BY ALL
),
counted AS (
    SELECT
        n,
        is_synthetic,
        sum(expected_count) AS expected_count,
        sum(found_count) AS found_count,
        count(*) FILTER (expected_count >= 20 AND found_count < expected_count * 0.5) AS departments_lost
    FROM found
    GROUP BY ALL
)
SELECT
    files.*,
    min(CASE
        WHEN layout_code = 'MAP' AND coalesce(found_count >= expected_count * 0.95 AND departments_lost = 0, true)
            THEN n
    END) OVER (PARTITION BY is_synthetic ORDER BY n ROWS BETWEEN 1 FOLLOWING AND UNBOUNDED FOLLOWING) AS absence_n
FROM files LEFT JOIN counted USING (n, is_synthetic);

CREATE TABLE history AS
WITH seen AS (
    SELECT
        *,
        lag(n) OVER w AS previous_n,
        lead(n) OVER w AS next_n,
        lag(status_code) OVER w AS last_status,
        lag(party_key) OVER w AS last_party,
        lag(mining_right_id_ingemmet) OVER w AS last_right,
        lag(place_code) OVER w AS last_place,
        lag(activity_code) OVER w AS last_activity
    FROM keyed
    WINDOW w AS (PARTITION BY k, is_synthetic ORDER BY n)
),
known AS (
    SELECT
        *,
        coalesce(status_code, last_value(status_code IGNORE NULLS) OVER b) AS s,
        coalesce(party_key, last_value(party_key IGNORE NULLS) OVER b) AS p,
        coalesce(mining_right_id_ingemmet, last_value(mining_right_id_ingemmet IGNORE NULLS) OVER b) AS r,
        coalesce(place_code, last_value(place_code IGNORE NULLS) OVER b) AS l,
        coalesce(activity_code, last_value(activity_code IGNORE NULLS) OVER b) AS a
    FROM seen
    WHERE previous_n IS NULL OR previous_n <> n - 1 OR next_n IS NULL OR next_n <> n + 1
        OR (status_code IS NOT NULL AND coalesce(status_code <> last_status, true))
        OR (party_key IS NOT NULL AND coalesce(party_key <> last_party, true))
        OR (mining_right_id_ingemmet IS NOT NULL AND coalesce(mining_right_id_ingemmet <> last_right, true))
        OR (place_code IS NOT NULL AND coalesce(place_code <> last_place, true))
        OR (activity_code IS NOT NULL AND coalesce(activity_code <> last_activity, true))
    WINDOW b AS (PARTITION BY k, is_synthetic ORDER BY n ROWS BETWEEN UNBOUNDED PRECEDING AND 1 PRECEDING)
),
followed AS (
    SELECT
        known.*,
        absence_n,
        absence_n IS NOT NULL AND (next_n IS NULL OR absence_n < next_n) AND coalesce(s <> 'EXCLUIDO', true)
        AND key_method <> 'natural' AS vanishes
    FROM known JOIN judged USING (n, is_synthetic)
),
compared AS (
    SELECT
        *,
        coalesce(lag(vanishes) OVER w, false) AS vanished,
        coalesce(lag(s) OVER w, '') <> coalesce(s, '') AS has_new_status,
        (coalesce(lag(p) OVER w, ''), coalesce(lag(r) OVER w, ''), coalesce(lag(l) OVER w, ''), coalesce(lag(a) OVER w, ''))
        <> (coalesce(p, ''), coalesce(r, ''), coalesce(l, ''), coalesce(a, '')) AS has_new_attributes
    FROM followed
    WINDOW w AS (PARTITION BY k, is_synthetic ORDER BY n)
),
changes AS (
    SELECT
        *,
        n AS change_n,
        CASE WHEN NOT vanished THEN previous_n END AS after_n,
        CASE
            WHEN previous_n IS NULL THEN 'new'
            WHEN vanished AND coalesce(s <> 'EXCLUIDO', true) THEN 'reappeared'
            WHEN vanished OR has_new_status THEN 'status_change'
            ELSE 'attribute_change'
        END AS change_type
    FROM compared
    WHERE previous_n IS NULL OR vanished OR has_new_status OR has_new_attributes
    UNION ALL
    SELECT *, absence_n, n, 'vanished' FROM compared WHERE vanishes
)
SELECT
    k AS registration_key,
    f.source_as_of AS valid_from,
    lead(f.source_as_of) OVER w AS valid_to,
    b.source_as_of AS changed_after,
    change_type,
    change_type <> 'vanished' AS is_listed,
    CASE WHEN is_listed THEN s END AS status_code,
    CASE WHEN is_listed THEN coalesce(s, 'SIN_ESTADO') ELSE 'AUSENTE' END AS registry_state,
    p AS party_key,
    r AS mining_right_id_ingemmet,
    is_free_area,
    l AS place_code,
    department_code,
    a AS activity_code,
    inscription_year,
    key_method,
    o.layout_code,
    lead(f.source_as_of) OVER w IS NULL AS is_current,
    f.source_as_of,
    f.ingested_at,
    c.is_synthetic,
    f.landing_sha256,
    CASE WHEN is_listed THEN row_number END AS row_number
FROM changes AS c
JOIN files AS f ON c.change_n = f.n AND c.is_synthetic = f.is_synthetic
JOIN files AS o ON c.n = o.n AND c.is_synthetic = o.is_synthetic
LEFT JOIN files AS b ON c.after_n = b.n AND c.is_synthetic = b.is_synthetic
WINDOW w AS (PARTITION BY k, c.is_synthetic ORDER BY c.change_n)
ORDER BY registration_key, valid_from;
