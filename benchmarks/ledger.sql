-- The ledger by hand: from matched papers to transfers, bridge, margins and their mart, as one tuned script. Lots are
-- whole numbers, codes ENUMs, what is read once is not stored, and amounts stay in 64 bits wherever they fit.
SET preserve_insertion_order = false;
ATTACH '$before' AS house (READ_ONLY);
CREATE SCHEMA marts;

CREATE TYPE kind AS ENUM (
    'ORE_AT_PIT', 'ORE_BETWEEN_COLLECTORS', 'ORE_AT_PLANT', 'CONCENTRATE', 'EXPORT', 'HAULAGE', 'MILLING', 'LABORATORY',
    'BILLER_FEE', 'CONCESSION_FEE'
);
CREATE TYPE link AS ENUM (
    'OPERATOR', 'COLLECTOR', 'PLANT', 'TRADER', 'HAULIER', 'LABORATORY', 'BILLER', 'CONCESSION_HOLDER', 'ABROAD'
);
CREATE TYPE basis AS ENUM ('observed', 'modelled', 'imputed');
CREATE TYPE evidence AS ENUM ('VOUCHER', 'SHEET');
CREATE TYPE method AS ENUM ('SHEET', 'KEY', 'NAMED', 'SCORED');
CREATE TYPE sheet AS ENUM (
    SELECT DISTINCT sheet_code FROM house.intermediate.int_transfer__implied WHERE sheet_code IS NOT NULL
);
CREATE TYPE form AS ENUM (
    SELECT product_form_code FROM house.intermediate.int_transfer__implied WHERE product_form_code IS NOT NULL
    UNION SELECT product_form_code FROM house.marts.dim_lot WHERE product_form_code IS NOT NULL
    UNION SELECT '--'
);
CREATE TYPE lot_kind AS ENUM ('PIT', 'LOAD', 'PRODUCT', 'TAILINGS', 'UNACCOUNTED');
CREATE TYPE band AS ENUM (SELECT grade_band_code FROM house.reference.copper_grade_bands UNION SELECT '--');
CREATE TYPE series AS ENUM (
    SELECT DISTINCT fx_series_code FROM house.intermediate.int_price__daily WHERE fx_series_code IS NOT NULL
);

-- Amounts -----------------------------------------------------------------------------------------------------------
CREATE TEMP MACRO rule(code) AS (SELECT threshold FROM house.reference.imputation_rules WHERE rule_code = code);
CREATE TEMP MACRO wide(a) AS CAST(a AS DECIMAL(38, 10));
-- At six decimals, exact; 64 bits wherever the product has no more than 18 digits.
CREATE TEMP MACRO product(a, b) AS CASE
    WHEN abs(CAST(a AS DOUBLE) * b) < 9e5
        THEN CAST(CAST(a AS DECIMAL(18, 6)) * CAST(b AS DECIMAL(18, 6)) AS DECIMAL(18, 6))
    ELSE CAST(wide(a) * b AS DECIMAL(18, 6))
END;
CREATE TEMP MACRO part(whole, share, total) AS CASE
    WHEN abs(CAST(whole AS DOUBLE) * share) < 9e18
        THEN CAST(whole AS BIGINT) * CAST(share AS BIGINT) // CAST(total AS BIGINT)
    ELSE CAST(CAST(whole AS HUGEINT) * share // total AS BIGINT)
END;
CREATE TEMP MACRO tonnes(g) AS CAST(CAST(g AS DECIMAL(18, 0)) * CAST(0.000001 AS DECIMAL(7, 6)) AS DECIMAL(18, 6));
CREATE TEMP MACRO usd(cents) AS CAST(CAST(cents AS DECIMAL(18, 0)) * CAST(0.01 AS DECIMAL(3, 2)) AS DECIMAL(18, 2));
CREATE TEMP MACRO copper_cents(g, price) AS CAST(
    round(CAST(g AS DECIMAL(15, 0)) * CAST(price AS DECIMAL(18, 6)) * CAST(0.0001 AS DECIMAL(5, 4)), 0) AS BIGINT
);
CREATE TEMP MACRO low(ratio, base_low, base_high) AS wide(ratio) * CASE WHEN ratio < 0 THEN base_high ELSE base_low END;
CREATE TEMP MACRO high(ratio, base_low, base_high) AS wide(ratio) * CASE WHEN ratio < 0 THEN base_low
    ELSE base_high END;
CREATE TEMP MACRO cents_low(value, bound) AS least(
    CAST(round(value, 2) * 100 AS BIGINT), CAST(floor(wide(bound) * 100) AS BIGINT)
);
CREATE TEMP MACRO cents_high(value, bound) AS greatest(
    CAST(round(value, 2) * 100 AS BIGINT), CAST(ceil(wide(bound) * 100) AS BIGINT)
);

-- Ratios of what was observed, by cells of up to four features; first in the finest cells, the coarser ones from these.
CREATE TEMP MACRO cells(seen) AS TABLE
WITH finest AS (
    SELECT
        kind_code, base_code, feature_1, feature_2, feature_3, feature_4, is_synthetic,
        CAST(CAST(amount AS DOUBLE) / CAST(base AS DOUBLE) AS DECIMAL(18, 4)) AS ratio,
        sum(row_weight) AS ratio_count, sum(amount) AS amount, sum(base) AS base
    FROM query_table(seen)
    WHERE base > 0 AND amount IS NOT NULL
    GROUP BY ALL
),
counted AS (
    SELECT
        kind_code, base_code, is_synthetic, ratio,
        4 - grouping(feature_1) - grouping(feature_2) - grouping(feature_3) - grouping(feature_4) AS cell_level,
        coalesce(feature_1, '') AS feature_1, coalesce(feature_2, '') AS feature_2,
        coalesce(feature_3, '') AS feature_3, coalesce(feature_4, '') AS feature_4,
        sum(ratio_count) AS ratio_count, sum(amount) AS amount, sum(base) AS base
    FROM finest
    GROUP BY GROUPING SETS (
        (kind_code, base_code, is_synthetic, ratio, feature_1, feature_2, feature_3, feature_4),
        (kind_code, base_code, is_synthetic, ratio, feature_1, feature_2, feature_3),
        (kind_code, base_code, is_synthetic, ratio, feature_1, feature_2),
        (kind_code, base_code, is_synthetic, ratio, feature_1),
        (kind_code, base_code, is_synthetic, ratio)
    )
),
cumulated AS (
    SELECT
        *,
        sum(ratio_count) OVER (cell ORDER BY ratio ROWS UNBOUNDED PRECEDING) AS upto_count,
        sum(ratio_count) OVER cell AS seen_count
    FROM counted
    WINDOW cell AS (
        PARTITION BY kind_code, base_code, is_synthetic, cell_level, feature_1, feature_2, feature_3, feature_4
    )
),
ranked AS (SELECT *, floor((seen_count + 1) * rule('TAIL_FRAC')) AS tail_count FROM cumulated),
summed AS (
    SELECT
        kind_code, base_code, cell_level, feature_1, feature_2, feature_3, feature_4, is_synthetic,
        max(seen_count) AS seen_count, max(tail_count) AS tail_count, min(ratio) AS least_ratio,
        max(ratio) AS most_ratio,
        min(ratio) FILTER (upto_count >= tail_count) AS tail_low_ratio,
        min(ratio) FILTER (upto_count >= seen_count - tail_count + 1) AS tail_high_ratio,
        CAST(CAST(sum(amount) AS DOUBLE) / nullif(CAST(sum(base) AS DOUBLE), 0) AS DECIMAL(18, 6)) AS central_ratio
    FROM ranked
    GROUP BY ALL
)
SELECT
    s.kind_code, s.base_code, s.cell_level, s.feature_1, s.feature_2, s.feature_3, s.feature_4, s.seen_count,
    s.central_ratio,
    CAST(greatest(
        CASE
            WHEN tail_count >= 1 THEN tail_low_ratio
            WHEN least_ratio = most_ratio AND s.cell_level > 0 THEN least_ratio
            ELSE least(
                least_ratio - rule('WIDENING_FRAC') * (most_ratio - least_ratio),
                coalesce(priors.low_ratio, least_ratio)
            )
        END - rule('RATIO_ROUNDING'),
        CASE WHEN least_ratio >= 0 THEN 0 END
    ) AS DECIMAL(18, 6)) AS low_ratio,
    CAST(CASE
        WHEN tail_count >= 1 THEN tail_high_ratio
        WHEN least_ratio = most_ratio AND s.cell_level > 0 THEN most_ratio
        ELSE greatest(
            most_ratio + rule('WIDENING_FRAC') * (most_ratio - least_ratio), coalesce(priors.high_ratio, most_ratio)
        )
    END + rule('RATIO_ROUNDING') AS DECIMAL(18, 6)) AS high_ratio,
    s.is_synthetic
FROM summed AS s
LEFT JOIN house.reference.ref_imputation_prior AS priors USING (kind_code, base_code)
LEFT JOIN house.reference.imputation_levels AS levels
    ON levels.kind_code IN (s.kind_code, 'ANY') AND s.base_code = levels.base_code AND s.cell_level = levels.cell_level
WHERE s.cell_level = 0 OR s.seen_count >= levels.least_count;

CREATE TEMP MACRO ranged(wanted, found) AS TABLE
SELECT
    w.*,
    coalesce(l4.low_ratio, l3.low_ratio, l2.low_ratio, l1.low_ratio, l0.low_ratio, priors.low_ratio)::DECIMAL(18, 6)
        AS low_ratio,
    coalesce(
        l4.central_ratio, l3.central_ratio, l2.central_ratio, l1.central_ratio, l0.central_ratio, priors.central_ratio
    )::DECIMAL(18, 6) AS central_ratio,
    coalesce(l4.high_ratio, l3.high_ratio, l2.high_ratio, l1.high_ratio, l0.high_ratio,
        priors.high_ratio)::DECIMAL(18, 6)
        AS high_ratio,
    coalesce(l4.seen_count, l3.seen_count, l2.seen_count, l1.seen_count, l0.seen_count, 0) AS ratio_count
FROM query_table(wanted) AS w
LEFT JOIN query_table(found) AS l4 ON l4.cell_level = 4 AND w.kind_code = l4.kind_code AND w.base_code = l4.base_code
    AND w.feature_1 = l4.feature_1 AND w.feature_2 = l4.feature_2 AND w.feature_3 = l4.feature_3
    AND w.feature_4 = l4.feature_4 AND w.is_synthetic = l4.is_synthetic
LEFT JOIN query_table(found) AS l3 ON l3.cell_level = 3 AND w.kind_code = l3.kind_code AND w.base_code = l3.base_code
    AND w.feature_1 = l3.feature_1 AND w.feature_2 = l3.feature_2 AND w.feature_3 = l3.feature_3
    AND w.is_synthetic = l3.is_synthetic
LEFT JOIN query_table(found) AS l2 ON l2.cell_level = 2 AND w.kind_code = l2.kind_code AND w.base_code = l2.base_code
    AND w.feature_1 = l2.feature_1 AND w.feature_2 = l2.feature_2 AND w.is_synthetic = l2.is_synthetic
LEFT JOIN query_table(found) AS l1 ON l1.cell_level = 1 AND w.kind_code = l1.kind_code AND w.base_code = l1.base_code
    AND w.feature_1 = l1.feature_1 AND w.is_synthetic = l1.is_synthetic
LEFT JOIN query_table(found) AS l0 ON l0.cell_level = 0 AND w.kind_code = l0.kind_code AND w.base_code = l0.base_code
    AND w.is_synthetic = l0.is_synthetic
LEFT JOIN house.reference.ref_imputation_prior AS priors ON w.kind_code = priors.kind_code
    AND w.base_code = priors.base_code;

-- Lots: numbered in the order of their codes, so that ties go to the first code by number too -----------------------
CREATE TEMP TABLE lots AS
SELECT
    CAST(row_number() OVER (ORDER BY is_synthetic, lot_key) AS INT) AS lot, lot_key, is_synthetic,
    lot_kind_code::lot_kind AS lot_kind, product_form_code::form AS form, first_date, mass_wmt, mass_dmt, cu_pct,
    copper_g,
    operator_key, reinfo_key, origin_ubigeo_code, department_code, plant_key, is_origin
FROM house.marts.dim_lot;

CREATE TEMP TABLE roles AS
SELECT
    party_key, is_synthetic, bool_or(role_code = 'PLANT') AS is_plant, bool_or(role_code = 'COLLECTOR') AS is_collector,
    bool_or(role_code = 'TRADER') AS is_trader
FROM house.intermediate.int_party__roles
GROUP BY ALL;

CREATE TEMP MACRO owner_role(party, operator, is_plant, is_collector, is_trader, is_heap) AS (CASE
    WHEN party = operator THEN 'OPERATOR'
    WHEN is_plant THEN 'PLANT'
    WHEN is_collector OR is_heap THEN 'COLLECTOR'
    WHEN is_trader THEN 'TRADER'
    ELSE 'OPERATOR'
END)::link;
CREATE TEMP MACRO payee_role(kind, party, operator, is_plant, is_collector, is_trader, is_heap) AS CASE kind
    WHEN 'HAULAGE' THEN 'HAULIER'::link
    WHEN 'LABORATORY' THEN 'LABORATORY'::link
    WHEN 'BILLER_FEE' THEN 'BILLER'::link
    WHEN 'CONCESSION_FEE' THEN 'CONCESSION_HOLDER'::link
    WHEN 'EXPORT' THEN 'TRADER'::link
    WHEN 'MILLING' THEN 'PLANT'::link
    WHEN 'ORE_AT_PIT' THEN 'OPERATOR'::link
    WHEN 'ORE_BETWEEN_COLLECTORS' THEN 'COLLECTOR'::link
    ELSE owner_role(party, operator, is_plant, is_collector, is_trader, is_heap)
END;
CREATE TEMP MACRO payer_role(kind, party, operator, is_plant, is_collector, is_trader, is_heap) AS CASE kind
    WHEN 'EXPORT' THEN 'ABROAD'::link
    WHEN 'CONCENTRATE' THEN 'TRADER'::link
    WHEN 'ORE_AT_PLANT' THEN 'PLANT'::link
    WHEN 'ORE_AT_PIT' THEN 'COLLECTOR'::link
    WHEN 'ORE_BETWEEN_COLLECTORS' THEN 'COLLECTOR'::link
    WHEN 'CONCESSION_FEE' THEN 'OPERATOR'::link
    ELSE owner_role(party, operator, is_plant, is_collector, is_trader, is_heap)
END;
CREATE TEMP MACRO key_of(kind, lot_key, payee, payer, is_synthetic) AS md5(
    concat(kind, ' ', lot_key, ' ', payee, ' ', coalesce(payer, '-'), ' ', is_synthetic)
);

-- What vouchers and sheets show -------------------------------------------------------------------------------------
-- Most transfers have one voucher, so only the others are put in order and summed.
CREATE TEMP TABLE paid AS
WITH repeated AS (
    SELECT transfer_key FROM house.intermediate.int_transfer__vouchers GROUP BY ALL HAVING count(*) > 1
),
ordered AS (
    SELECT
        *,
        row_number() OVER (PARTITION BY transfer_key ORDER BY part_code <> 'SALE', issue_date, document_key) AS number
    FROM house.intermediate.int_transfer__vouchers SEMI JOIN repeated USING (transfer_key)
),
firsts AS (
    SELECT * FROM house.intermediate.int_transfer__vouchers ANTI JOIN repeated USING (transfer_key)
    UNION ALL
    SELECT * EXCLUDE (number) FROM ordered WHERE number = 1
),
later AS (
    SELECT
        transfer_key, sum(value_usd) AS value_usd, bool_or(part_code = 'ADJUSTMENT') AS has_adjustment,
        bool_or(is_final) AS has_final, min(issue_date) AS first_date, max(issue_date) AS last_date,
        count(*) AS voucher_count, sum(net_amount) AS net_amount, bool_and(currency_code = 'PEN') AS is_in_pen, max(haul_key) AS haul_key,
        sum(quantity_t) FILTER (part_code = 'SALE') AS quantity_t, min(match_score) AS match_score,
        max(CASE method_code WHEN 'SCORED' THEN 3 WHEN 'NAMED' THEN 2 ELSE 1 END) AS method_rank
    FROM ordered WHERE number > 1
    GROUP BY transfer_key
),
vouched AS (
    SELECT
        transfer_key, f.kind_code::kind AS kind, f.lot_key, f.payee_key, f.payer_key, f.is_synthetic,
        f.value_usd + coalesce(l.value_usd, 0) AS voucher_value_usd,
        f.part_code = 'ADJUSTMENT' OR coalesce(l.has_adjustment, false) AS has_adjustment,
        f.is_final OR coalesce(l.has_final, false) AS has_final,
        least(f.issue_date, l.first_date) AS first_date, greatest(f.issue_date, l.last_date) AS last_date,
        1 + coalesce(l.voucher_count, 0) AS voucher_count, f.document_key AS invoice_key,
        f.issuer_key AS invoicing_party_key,
        CASE WHEN f.currency_code = 'PEN' AND coalesce(l.is_in_pen, true) THEN f.net_amount + coalesce(l.net_amount, 0)
        END AS value_pen,
        greatest(f.haul_key, l.haul_key) AS haul_key,
        CASE WHEN f.part_code = 'SALE' THEN coalesce(f.quantity_t + l.quantity_t, f.quantity_t, l.quantity_t) END
            AS quantity_t,
        least(f.match_score, l.match_score) AS match_score,
        greatest(CASE f.method_code WHEN 'SCORED' THEN 3 WHEN 'NAMED' THEN 2 ELSE 1 END, l.method_rank) AS method_rank
    FROM firsts AS f LEFT JOIN later AS l USING (transfer_key)
),
implied AS (
    SELECT
        rowid AS implied, *, kind_code::kind AS kind,
        CASE WHEN kind_code = 'ORE_BETWEEN_COLLECTORS' THEN payer_key ELSE '-' END AS sold_to
    FROM house.intermediate.int_transfer__implied
),
joined AS (
    SELECT
        v.transfer_key,
        i.implied,
        coalesce(v.kind, i.kind) AS kind,
        coalesce(v.lot_key, i.lot_key) AS lot_key,
        coalesce(v.payee_key, i.payee_key) AS payee_key,
        CASE WHEN v.transfer_key IS NOT NULL THEN v.payer_key ELSE i.payer_key END AS payer_key,
        coalesce(v.is_synthetic, i.is_synthetic) AS is_synthetic,
        coalesce(v.invoicing_party_key, i.invoicing_party_key, i.payee_key) AS invoicing_party_key,
        coalesce(i.operator_key, CASE WHEN v.kind = 'ORE_AT_PIT' THEN v.payee_key END) AS operator_key,
        i.reinfo_key, i.expected_date, i.product_form_code::form AS product_form_code,
        coalesce(i.mass_wmt, CASE WHEN v.kind = 'ORE_AT_PIT' THEN v.quantity_t END)::DECIMAL(18, 6) AS mass_wmt,
        i.mass_dmt, i.cu_pct, i.copper_g::BIGINT AS copper_g, i.sheet_code::sheet AS sheet_code, i.sheet_id,
        i.sheet_value_usd,
        i.ticket_id,
        coalesce(v.haul_key, i.haul_key) AS haul_key,
        v.voucher_value_usd::DECIMAL(18, 2) AS voucher_value_usd,
        v.value_pen, v.first_date, v.last_date,
        v.invoice_key,
        coalesce(v.voucher_count, 0) AS voucher_count,
        v.match_score, v.method_rank,
        coalesce(v.has_final, false) AS has_final,
        CASE
            WHEN v.transfer_key IS NULL THEN false
            WHEN v.has_final THEN true
            WHEN i.sheet_code IN ('FINAL', 'REGULARIZADA')
                THEN v.has_adjustment
                    AND abs(voucher_value_usd - sheet_value_usd) <= value_tolerance_frac * abs(sheet_value_usd)
            WHEN i.sheet_code = 'PROVISIONAL' THEN false
            ELSE voucher_value_usd <> 0 OR sheet_value_usd IS NULL
        END AS is_whole
    FROM vouched AS v
    FULL JOIN implied AS i
        ON v.kind = i.kind AND v.lot_key = i.lot_key AND v.is_synthetic = i.is_synthetic
        AND CASE WHEN v.kind = 'ORE_BETWEEN_COLLECTORS' THEN v.payer_key ELSE '-' END = i.sold_to
    LEFT JOIN house.reference.match_rules AS r ON v.kind = r.match_code
    WHERE v.transfer_key IS NOT NULL OR (i.sheet_value_usd IS NOT NULL AND i.payee_key IS NOT NULL)
),
valued AS (
    SELECT
        *,
        CASE WHEN is_whole THEN voucher_value_usd ELSE sheet_value_usd END AS value_usd,
        CASE WHEN is_whole THEN last_date ELSE expected_date END AS transfer_date,
        CASE WHEN kind IN ('ORE_AT_PLANT', 'CONCENTRATE') THEN payer_key END AS sheet_buyer_key
    FROM joined
    WHERE CASE WHEN is_whole THEN voucher_value_usd ELSE sheet_value_usd END IS NOT NULL
),
heaps AS (
    SELECT DISTINCT lot_key, is_synthetic FROM house.intermediate.int_lot__batch_lines
    WHERE is_heap AND stream_code = 'PRODUCT'
),
carriers AS (
    SELECT
        haul_key, is_synthetic,
        min(document_key) FILTER (kind_code = 'WAYBILL_SENDER') AS sender_waybill_key,
        min(document_key) FILTER (kind_code = 'WAYBILL_CARRIER') AS carrier_waybill_key
    FROM house.intermediate.int_haul__documents
    WHERE kind_code IN ('WAYBILL_SENDER', 'WAYBILL_CARRIER')
    GROUP BY ALL
)
SELECT
    l.lot,
    v.implied,
    coalesce(v.transfer_key, key_of(v.kind, v.lot_key, v.payee_key, v.payer_key, v.is_synthetic)) AS transfer_key,
    v.kind AS kind_code,
    v.lot_key,
    v.payee_key,
    payee_role(v.kind, v.payee_key, v.operator_key, payees.is_plant, payees.is_collector, payees.is_trader,
        heaps.lot_key IS NOT NULL) AS payee_role_code,
    v.payer_key,
    payer_role(v.kind, v.payer_key, v.operator_key, payers.is_plant, payers.is_collector, payers.is_trader,
        heaps.lot_key IS NOT NULL) AS payer_role_code,
    v.invoicing_party_key, v.operator_key, v.reinfo_key, v.transfer_date,
    coalesce(v.first_date, v.expected_date) AS first_date,
    v.product_form_code, v.mass_wmt, v.mass_dmt, v.cu_pct, v.copper_g,
    v.value_usd::DECIMAL(18, 2) AS value_usd,
    coalesce(CASE WHEN is_whole THEN v.value_pen END, v.value_usd * rates.pen_per_usd)::DECIMAL(18, 2) AS value_pen,
    rates.pen_per_usd, rates.fx_series_code::series AS fx_series_code,
    (CASE WHEN is_whole THEN 'VOUCHER' ELSE 'SHEET' END)::evidence AS value_evidence_code,
    (NOT is_whole AND sheet_code = 'PROVISIONAL')
    OR (v.kind IN ('CONCENTRATE', 'EXPORT') AND sheet_code IS NULL AND NOT has_final) AS is_provisional,
    v.voucher_value_usd, v.sheet_value_usd,
    CASE WHEN is_whole AND sheet_code <> 'PROVISIONAL' THEN voucher_value_usd - sheet_value_usd END::DECIMAL(18, 2)
        AS difference_usd,
    v.voucher_count, v.invoice_key, v.sheet_code, v.sheet_id, carriers.sender_waybill_key, carriers.carrier_waybill_key,
    v.ticket_id, deposits.detraction_deposit_id AS deposit_id,
    (CASE v.method_rank WHEN 3 THEN 'SCORED' WHEN 2 THEN 'NAMED' WHEN 1 THEN 'KEY' ELSE 'SHEET' END)::method
        AS match_method_code,
    v.match_score, v.is_synthetic
FROM valued AS v
LEFT JOIN lots AS l ON v.lot_key = l.lot_key AND v.is_synthetic = l.is_synthetic
LEFT JOIN roles AS payees ON v.payee_key = payees.party_key AND v.is_synthetic = payees.is_synthetic
LEFT JOIN roles AS payers ON v.payer_key = payers.party_key AND v.is_synthetic = payers.is_synthetic
LEFT JOIN heaps ON v.lot_key = heaps.lot_key AND v.is_synthetic = heaps.is_synthetic
LEFT JOIN carriers ON v.haul_key = carriers.haul_key AND v.is_synthetic = carriers.is_synthetic
LEFT JOIN house.intermediate.int_settlement__sales AS deposits
    ON v.sheet_buyer_key = deposits.buyer_key AND v.lot_key = deposits.lot_key
        AND v.is_synthetic = deposits.is_synthetic
LEFT JOIN house.intermediate.int_price__daily AS rates
    ON v.transfer_date = rates.price_date AND v.is_synthetic = rates.is_synthetic;

-- What they lead us to expect and do not show -----------------------------------------------------------------------
INSERT INTO paid BY NAME
WITH implied AS (
    SELECT rowid AS implied, * FROM house.intermediate.int_transfer__implied WHERE why_code <> 'POSSIBLE'
),
unseen AS (
    SELECT i.* FROM implied AS i ANTI JOIN paid ON i.implied = paid.implied
    UNION ALL
    -- without a buyer no observed one is told to be the same
    SELECT i.* FROM implied AS i SEMI JOIN paid ON i.implied = paid.implied
    WHERE i.kind_code = 'ORE_BETWEEN_COLLECTORS' AND i.payer_key IS NULL
),
practice AS (
    SELECT buyer_key, is_synthetic FROM house.intermediate.int_settlement__sales
    WHERE lot_kind_code = 'LOAD'
    GROUP BY ALL
    HAVING count(*) FILTER (freight_usd > 0) * 2 > count(*)
),
deducting AS (
    SELECT a.lot_key, a.is_synthetic, min(a.receiver_key) AS plant_key
    FROM house.intermediate.int_lot__arrivals AS a
    SEMI JOIN (SELECT * FROM unseen WHERE kind_code = 'HAULAGE') AS wanted
        ON a.lot_key = wanted.lot_key AND a.is_synthetic = wanted.is_synthetic
    INNER JOIN practice ON a.receiver_key = practice.buyer_key AND a.is_synthetic = practice.is_synthetic
    ANTI JOIN house.intermediate.int_settlement__sales AS sheets
        ON a.receiver_key = sheets.buyer_key AND a.lot_key = sheets.lot_key AND a.is_synthetic = sheets.is_synthetic
    SEMI JOIN (SELECT * FROM implied WHERE kind_code = 'ORE_AT_PLANT') AS sales
        ON a.lot_key = sales.lot_key AND a.is_synthetic = sales.is_synthetic
    GROUP BY ALL
),
valued AS (
    SELECT
        u.* REPLACE (
            CASE WHEN u.kind_code = 'HAULAGE' THEN coalesce(d.plant_key, u.payer_key) ELSE u.payer_key END AS payer_key
        )
    FROM unseen AS u
    LEFT JOIN deducting AS d ON u.lot_key = d.lot_key AND u.is_synthetic = d.is_synthetic
),
heaps AS (
    SELECT DISTINCT lot_key, is_synthetic FROM house.intermediate.int_lot__batch_lines
    WHERE is_heap AND stream_code = 'PRODUCT'
)
SELECT
    l.lot,
    key_of(v.kind_code, v.lot_key, v.payee_key, v.payer_key, v.is_synthetic) AS transfer_key,
    v.kind_code::kind AS kind_code, v.lot_key, v.payee_key,
    payee_role(v.kind_code, v.payee_key, v.operator_key, payees.is_plant, payees.is_collector, payees.is_trader,
        heaps.lot_key IS NOT NULL) AS payee_role_code,
    v.payer_key,
    payer_role(v.kind_code, v.payer_key, v.operator_key, payers.is_plant, payers.is_collector, payers.is_trader,
        heaps.lot_key IS NOT NULL) AS payer_role_code,
    v.invoicing_party_key, v.operator_key, v.reinfo_key, v.expected_date AS transfer_date,
    v.expected_date AS first_date,
    v.product_form_code::form AS product_form_code, v.mass_wmt, v.mass_dmt, v.cu_pct, v.copper_g::BIGINT AS copper_g,
    rates.pen_per_usd, rates.fx_series_code::series AS fx_series_code,
    false AS is_provisional, 0 AS voucher_count, v.is_synthetic
FROM valued AS v
LEFT JOIN lots AS l ON v.lot_key = l.lot_key AND v.is_synthetic = l.is_synthetic
LEFT JOIN roles AS payees ON v.payee_key = payees.party_key AND v.is_synthetic = payees.is_synthetic
LEFT JOIN roles AS payers ON v.payer_key = payers.party_key AND v.is_synthetic = payers.is_synthetic
LEFT JOIN heaps ON v.lot_key = heaps.lot_key AND v.is_synthetic = heaps.is_synthetic
LEFT JOIN house.intermediate.int_price__daily AS rates
    ON v.expected_date = rates.price_date AND v.is_synthetic = rates.is_synthetic;

-- Lots that vouchers alone tell of.
INSERT INTO lots BY NAME
WITH vouched AS (
    SELECT
        lot_key, is_synthetic, min(first_date) AS first_date,
        max(CASE kind_code
            WHEN 'MILLING' THEN 'TAILINGS' WHEN 'ORE_AT_PIT' THEN 'PIT' WHEN 'CONCENTRATE' THEN 'PRODUCT'
                WHEN 'EXPORT' THEN 'PRODUCT'
        END) AS paid_kind,
        min(product_form_code::VARCHAR) AS form, max(mass_wmt) AS mass_wmt, max(mass_dmt) AS mass_dmt,
        max(cu_pct) AS cu_pct,
        max(copper_g) AS copper_g, min(operator_key) AS operator_key, min(reinfo_key) AS reinfo_key
    FROM paid
    WHERE lot IS NULL
    GROUP BY ALL
)
SELECT
    CAST((SELECT count(*) FROM lots) + row_number() OVER () AS INT) AS lot, v.lot_key, v.is_synthetic,
    coalesce(p.lot_kind_code, v.paid_kind, 'LOAD')::lot_kind AS lot_kind, v.form::form AS form, v.first_date,
    v.mass_wmt,
    v.mass_dmt, v.cu_pct, v.copper_g, v.operator_key, v.reinfo_key, true AS is_origin
FROM vouched AS v
LEFT JOIN house.reference.lot_code_patterns AS p ON regexp_matches(v.lot_key, p.pattern);
UPDATE paid SET lot = lots.lot FROM lots
WHERE paid.lot IS NULL AND paid.lot_key = lots.lot_key AND paid.is_synthetic = lots.is_synthetic;

-- Lots with mass and copper, bounds where they are not told ---------------------------------------------------------
CREATE TEMP TABLE featured AS
SELECT
    l.*,
    coalesce(l.form, '--'::form) AS form_code,
    coalesce(b.grade_band_code, '--')::band AS band,
    CASE WHEN l.reinfo_key IS NULL THEN 'SIN_INSCRIPCION' ELSE coalesce(r.registry_state, 'NO_FIGURA') END
        AS registry_state,
    prices.copper_usd_per_t, prices.copper_basis_code
FROM lots AS l
LEFT JOIN house.reference.copper_grade_bands AS b ON l.cu_pct >= b.cu_from_pct AND l.cu_pct < b.cu_below_pct
LEFT JOIN house.intermediate.int_registration__standing AS r
    ON l.reinfo_key = r.registration_key AND l.is_synthetic = r.is_synthetic
    AND l.first_date >= r.valid_from AND l.first_date < coalesce(r.valid_to, DATE '9999-12-31')
LEFT JOIN house.intermediate.int_price__daily AS prices
    ON l.first_date = prices.price_date AND l.is_synthetic = prices.is_synthetic;

CREATE TEMP VIEW measured AS
SELECT
    'LOT_MASS' AS kind_code, 'LOT' AS base_code, lot_kind::VARCHAR AS feature_1, form_code::VARCHAR AS feature_2,
    coalesce(department_code, '--') AS feature_3, '--' AS feature_4, mass_wmt::DECIMAL(18, 6) AS amount,
    1::DECIMAL(18, 6) AS base, 1 AS row_weight, is_synthetic, lot
FROM featured WHERE lot_kind <> 'TAILINGS'
UNION ALL
SELECT
    'LOT_COPPER', 'WMT', lot_kind::VARCHAR, form_code::VARCHAR, coalesce(department_code, '--'), '--',
    CAST(CAST(copper_g AS DECIMAL(15, 0)) * CAST(0.001 AS DECIMAL(3, 3)) AS DECIMAL(18, 6)), mass_wmt::DECIMAL(18, 6),
    1,
    is_synthetic, lot
FROM featured WHERE lot_kind <> 'TAILINGS';
CREATE TEMP TABLE mass_cells AS FROM cells('measured');
CREATE TEMP TABLE untold AS FROM measured WHERE amount IS NULL;
CREATE TEMP TABLE told AS FROM ranged('untold', 'mass_cells');

CREATE TEMP TABLE measures AS
SELECT
    f.* EXCLUDE (lot_key),
    f.lot_key,
    coalesce(f.mass_wmt, m.central_ratio)::DECIMAL(14, 6) AS mass_central_wmt,
    coalesce(f.mass_wmt, m.low_ratio)::DECIMAL(14, 6) AS mass_low_wmt,
    coalesce(f.mass_wmt, m.high_ratio)::DECIMAL(14, 6) AS mass_high_wmt,
    coalesce(
        tonnes(f.copper_g), (wide(c.central_ratio) * coalesce(f.mass_wmt, m.central_ratio) * 0.001)::DECIMAL(18, 6)
    )
        AS copper_central_t,
    coalesce(tonnes(f.copper_g), (wide(c.low_ratio) * coalesce(f.mass_wmt, m.low_ratio) * 0.001)::DECIMAL(18, 6))
        AS copper_low_t,
    coalesce(tonnes(f.copper_g), (wide(c.high_ratio) * coalesce(f.mass_wmt, m.high_ratio) * 0.001)::DECIMAL(18, 6))
        AS copper_high_t
FROM featured AS f
LEFT JOIN (FROM told WHERE kind_code = 'LOT_MASS') AS m USING (lot)
LEFT JOIN (FROM told WHERE kind_code = 'LOT_COPPER') AS c USING (lot);
DROP TABLE featured CASCADE;

-- What values are compared with -------------------------------------------------------------------------------------
CREATE TEMP TABLE on_lots AS
SELECT
    p.rowid AS transfer, p.lot, p.kind_code, coalesce(p.payee_key, '--') AS payee, coalesce(p.payer_key, '--') AS payer,
    CASE WHEN NOT p.is_provisional THEN p.value_usd END AS value_usd,
    coalesce(p.transfer_date, m.first_date) AS priced_date, prices.copper_usd_per_t AS price, p.is_synthetic
FROM paid AS p
INNER JOIN measures AS m USING (lot)
LEFT JOIN house.intermediate.int_price__daily AS prices
    ON coalesce(p.transfer_date, m.first_date) = prices.price_date AND p.is_synthetic = prices.is_synthetic;

CREATE TEMP TABLE sales AS
SELECT
    lot,
    max(value_usd) FILTER (kind_code = 'CONCENTRATE') AS concentrate_usd,
    max(value_usd) FILTER (kind_code = 'EXPORT') AS export_usd,
    max(value_usd) FILTER (kind_code IN ('ORE_AT_PIT', 'ORE_AT_PLANT')) AS ore_usd
FROM on_lots
WHERE kind_code IN ('CONCENTRATE', 'EXPORT', 'ORE_AT_PIT', 'ORE_AT_PLANT') AND value_usd > 0
GROUP BY lot;

CREATE TEMP TABLE provisional AS
WITH told AS (
    SELECT 'CONCENTRATE' AS kind_code, c.lot_key, 'PROVISIONAL' AS base_code, 1 AS preference,
    max(s.value_usd) AS value_usd,
        s.is_synthetic
    FROM house.staging.stg_partner_settlements__settlements AS s
    INNER JOIN house.intermediate.int_lot__codes AS c
        ON s.buyer_key = c.party_key AND s.lot_id = c.lot_id AND s.is_synthetic = c.is_synthetic
    WHERE s.is_current AND s.stage_code = 'PROVISIONAL'
    GROUP BY ALL
    UNION ALL
    SELECT 'EXPORT', lot_key, 'PROVISIONAL', 1, provisional_fob_usd, is_synthetic
    FROM house.intermediate.int_export__lots
    WHERE provisional_fob_usd IS NOT NULL
    UNION ALL
    SELECT kind_code, lot_key, 'FIRST_VOUCHER', 2, sum(value_usd), is_synthetic
    FROM house.intermediate.int_transfer__vouchers
    WHERE kind_code IN ('CONCENTRATE', 'EXPORT') AND part_code = 'SALE'
    GROUP BY ALL
)
SELECT l.lot, t.kind_code::kind AS kind_code, t.base_code, t.preference, t.value_usd::DECIMAL(18, 2) AS value_usd
FROM told AS t
INNER JOIN lots AS l ON t.lot_key = l.lot_key AND t.is_synthetic = l.is_synthetic;

CREATE TEMP MACRO if_unseen(value_usd, base) AS CASE WHEN value_usd IS NULL THEN base END;
CREATE TEMP VIEW compared AS
SELECT
    transfer, t.lot, kind_code::VARCHAR AS kind_code, 'LME' AS base_code, 4 AS preference, value_usd AS amount,
    product(copper_central_t, price) AS base, if_unseen(value_usd, product(copper_low_t, price)) AS base_low,
    if_unseen(value_usd, product(copper_high_t, price)) AS base_high,
    form_code::VARCHAR AS feature_1,
    CASE WHEN lot_kind = 'PRODUCT' THEN year(priced_date)::VARCHAR ELSE band::VARCHAR END AS feature_2,
    CASE WHEN lot_kind = 'PRODUCT' THEN payer ELSE registry_state END AS feature_3,
    CASE WHEN lot_kind = 'PRODUCT' THEN '--' ELSE coalesce(department_code, '--') END AS feature_4,
    t.is_synthetic, 1 AS row_weight
FROM on_lots AS t INNER JOIN measures AS m USING (lot)
WHERE kind_code IN ('ORE_AT_PIT', 'ORE_BETWEEN_COLLECTORS', 'ORE_AT_PLANT', 'CONCENTRATE', 'EXPORT')
    AND price IS NOT NULL
UNION ALL
SELECT
    transfer, t.lot, kind_code::VARCHAR, CASE kind_code WHEN 'EXPORT' THEN 'CONCENTRATE' ELSE 'EXPORT' END, 3,
    value_usd,
    CASE kind_code WHEN 'EXPORT' THEN concentrate_usd ELSE export_usd END AS base, base, base,
    form_code::VARCHAR, year(priced_date)::VARCHAR, payer, '--', t.is_synthetic, 1
FROM on_lots AS t INNER JOIN measures AS m USING (lot) INNER JOIN sales USING (lot)
WHERE kind_code IN ('CONCENTRATE', 'EXPORT')
UNION ALL
SELECT
    transfer, t.lot, t.kind_code::VARCHAR, p.base_code, p.preference, t.value_usd, p.value_usd AS base, base, base,
    form_code::VARCHAR, year(priced_date)::VARCHAR, payer, '--', t.is_synthetic, 1
FROM on_lots AS t INNER JOIN measures AS m USING (lot) INNER JOIN provisional AS p USING (lot, kind_code)
UNION ALL
SELECT
    transfer, t.lot, kind_code::VARCHAR, 'WMT', 1, value_usd, mass_central_wmt, mass_low_wmt, mass_high_wmt,
    lot_kind::VARCHAR, coalesce(department_code, '--'), coalesce(plant_key, '--'), coalesce(origin_ubigeo_code, '--'),
    t.is_synthetic, 1
FROM on_lots AS t INNER JOIN measures AS m USING (lot)
WHERE kind_code = 'HAULAGE'
UNION ALL
SELECT
    transfer, t.lot, t.kind_code::VARCHAR, 'FED_DMT', 1, value_usd, fed_dmt::DECIMAL(18, 6) AS base, base, base,
    coalesce(m.plant_key, '--'), '--', '--', '--', t.is_synthetic, 1
FROM on_lots AS t INNER JOIN measures AS m USING (lot)
INNER JOIN house.intermediate.int_campaign__milled AS fed ON m.lot_key = fed.lot_key
    AND m.is_synthetic = fed.is_synthetic
WHERE t.kind_code = 'MILLING'
UNION ALL
SELECT
    transfer, t.lot, kind_code::VARCHAR, 'LOT', 1, value_usd, 1, 1, 1, lot_kind::VARCHAR, payee, '--', '--',
    t.is_synthetic, 1
FROM on_lots AS t INNER JOIN measures AS m USING (lot)
WHERE kind_code = 'LABORATORY'
UNION ALL
SELECT
    transfer, t.lot, kind_code::VARCHAR, 'SALE', 1, value_usd, ore_usd, ore_usd, ore_usd,
    CASE kind_code WHEN 'BILLER_FEE' THEN registry_state ELSE payee END,
    CASE kind_code WHEN 'BILLER_FEE' THEN payee ELSE payer END, '--', '--', t.is_synthetic, 1
FROM on_lots AS t INNER JOIN measures AS m USING (lot) LEFT JOIN sales USING (lot)
WHERE kind_code IN ('BILLER_FEE', 'CONCESSION_FEE');

CREATE TEMP TABLE value_cells AS FROM cells('compared');
CREATE TEMP TABLE nearest AS
FROM compared
WHERE amount IS NULL AND (base IS NOT NULL OR base_code = 'SALE')
QUALIFY row_number() OVER (PARTITION BY transfer ORDER BY preference) = 1;

CREATE TEMP TABLE imputed AS
WITH agreed AS (
    SELECT p.rowid AS transfer, fees.fee_frac
    FROM paid AS p
    INNER JOIN house.intermediate.int_contract__fees AS fees
        ON p.payee_key = fees.holder_key AND p.payer_key = fees.operator_key AND p.is_synthetic = fees.is_synthetic
    WHERE p.kind_code = 'CONCESSION_FEE' AND p.value_usd IS NULL AND fees.why_code = 'CONTRACT'
    QUALIFY row_number() OVER (
        PARTITION BY p.rowid ORDER BY CASE WHEN p.reinfo_key = fees.reinfo_key THEN 0 ELSE 1 END, fees.fee_frac
    ) = 1
),
rated AS (
    SELECT
        r.* EXCLUDE (low_ratio, central_ratio, high_ratio), a.fee_frac IS NOT NULL AS is_fixed,
        coalesce(a.fee_frac, r.low_ratio) AS low_ratio, coalesce(a.fee_frac, r.central_ratio) AS central_ratio,
        coalesce(a.fee_frac, r.high_ratio) AS high_ratio
    FROM ranged('nearest', 'value_cells') AS r LEFT JOIN agreed AS a USING (transfer)
),
imputed_sales AS (
    SELECT
        lot, max(greatest(wide(central_ratio) * base, 0)) AS base,
        max(greatest(low(low_ratio, base_low, base_high), 0)) AS base_low,
        max(greatest(high(high_ratio, base_low, base_high), 0)) AS base_high
    FROM rated WHERE kind_code IN ('ORE_AT_PIT', 'ORE_AT_PLANT')
    GROUP BY lot
),
with_base AS (
    SELECT
        r.transfer, r.base_code, r.low_ratio, r.central_ratio, r.high_ratio, r.ratio_count,
        coalesce(r.base, s.base)::DECIMAL(18, 6) AS base, coalesce(r.base_low, s.base_low)::DECIMAL(18, 6) AS base_low,
        coalesce(r.base_high, s.base_high)::DECIMAL(18, 6) AS base_high,
        r.is_fixed AND r.base IS NOT NULL AS is_modelled
    FROM rated AS r LEFT JOIN imputed_sales AS s ON CASE WHEN r.base IS NULL THEN r.lot END = s.lot
    WHERE coalesce(r.base, s.base) IS NOT NULL
),
valued AS (
    SELECT
        *, CASE WHEN base_code = 'PROVISIONAL' THEN base ELSE wide(central_ratio) * base END AS value_usd,
        low(low_ratio, base_low, base_high) AS low_usd, high(high_ratio, base_low, base_high) AS high_usd
    FROM with_base
)
SELECT
    transfer, CAST(round(value_usd, 2) * 100 AS BIGINT) AS cents, cents_low(value_usd, low_usd) AS low_cents,
    cents_high(value_usd, high_usd) AS high_cents,
    (CASE
        WHEN base_code = 'PROVISIONAL' THEN 'observed' WHEN is_modelled OR ratio_count = 0 THEN 'modelled'
            ELSE 'imputed'
    END)::basis AS basis
FROM valued;
DROP TABLE on_lots CASCADE;

-- The transfers -----------------------------------------------------------------------------------------------------
CREATE TABLE marts.fct_transfer AS
SELECT
    p.transfer_key, p.kind_code, p.lot_key, p.payee_key, p.payee_role_code, p.payer_key, p.payer_role_code,
    p.invoicing_party_key, p.operator_key, p.reinfo_key, p.transfer_date, p.first_date, p.product_form_code,
    p.mass_wmt, p.mass_dmt, p.cu_pct, p.copper_g,
    CASE WHEN i.basis <> 'observed' OR p.value_usd IS NULL THEN usd(i.cents) ELSE p.value_usd END AS value_usd,
    coalesce(usd(i.low_cents), p.value_usd) AS value_low_usd,
    coalesce(usd(i.high_cents), p.value_usd) AS value_high_usd,
    CASE
        WHEN i.basis <> 'observed' OR p.value_usd IS NULL THEN (usd(i.cents) * p.pen_per_usd)::DECIMAL(18, 2)
        ELSE p.value_pen
    END AS value_pen,
    p.pen_per_usd, p.fx_series_code,
    coalesce(i.basis, 'observed'::basis) AS value_basis_code,
    p.value_evidence_code, p.is_provisional, p.voucher_value_usd, p.sheet_value_usd, p.difference_usd,
    p.voucher_count, p.invoice_key, p.sheet_code, p.sheet_id, p.sender_waybill_key, p.carrier_waybill_key,
    p.ticket_id, p.deposit_id, p.match_method_code, p.match_score, p.is_synthetic
FROM paid AS p
LEFT JOIN imputed AS i ON p.rowid = i.transfer
WHERE p.value_usd IS NOT NULL OR i.transfer IS NOT NULL;

-- Who an amount on a lot is shared over -----------------------------------------------------------------------------
-- One end at a time: joined at once, both ends share is_synthetic, and DuckDB crosses all lots with all lots.
CREATE TEMP TABLE edges AS
WITH given AS MATERIALIZED (
    SELECT l.lot AS from_lot, e.to_lot_key, e.is_synthetic, e.copper_g
    FROM house.intermediate.int_lot__edges AS e
    INNER JOIN lots AS l ON e.from_lot_key = l.lot_key AND e.is_synthetic = l.is_synthetic
)
SELECT g.from_lot, l.lot AS to_lot, l.lot_kind AS to_kind, g.copper_g
FROM given AS g
INNER JOIN lots AS l ON g.to_lot_key = l.lot_key AND g.is_synthetic = l.is_synthetic;

CREATE TEMP TABLE held AS
WITH held AS MATERIALIZED (
    SELECT l.lot, l.lot_kind, g.origin_lot_key, g.is_synthetic, g.copper_g
    FROM house.intermediate.int_lot__genealogy AS g
    INNER JOIN lots AS l ON g.lot_key = l.lot_key AND g.is_synthetic = l.is_synthetic
    WHERE g.copper_g > 0
)
SELECT h.lot, h.lot_kind, l.lot AS origin, h.copper_g
FROM held AS h
INNER JOIN lots AS l ON h.origin_lot_key = l.lot_key AND h.is_synthetic = l.is_synthetic;

-- Parts of products that are not sure: what one origin has less the others of the product have more.
CREATE TEMP TABLE unsure AS
WITH ranges AS (
    SELECT l.lot AS origin, r.low_factor, r.high_factor
    FROM house.intermediate.int_lot__origin_ranges AS r
    INNER JOIN lots AS l ON r.origin_lot_key = l.lot_key AND r.is_synthetic = l.is_synthetic
),
stretched AS (
    SELECT
        h.lot, h.origin, h.copper_g,
        floor(h.copper_g * coalesce(r.low_factor, 1))::BIGINT AS low_g,
        ceil(h.copper_g * coalesce(r.high_factor, 1))::BIGINT AS high_g
    FROM held AS h
    SEMI JOIN (SELECT h.lot FROM held AS h SEMI JOIN ranges USING (origin) WHERE h.lot_kind = 'PRODUCT') USING (lot)
    LEFT JOIN ranges AS r USING (origin)
)
SELECT
    lot, origin,
    greatest(low_g, copper_g - sum(high_g - copper_g) OVER of_lot + (high_g - copper_g))::BIGINT AS low_g,
    least(high_g, copper_g + sum(copper_g - low_g) OVER of_lot - (copper_g - low_g))::BIGINT AS high_g
FROM stretched
WINDOW of_lot AS (PARTITION BY lot);

CREATE TEMP TABLE shares AS
SELECT
    h.lot, false AS is_feed, h.origin, h.copper_g,
    coalesce(h.copper_g - u.low_g, 0) AS less_g, coalesce(u.high_g - h.copper_g, 0) AS more_g
FROM held AS h LEFT JOIN unsure AS u USING (lot, origin);
INSERT INTO shares
WITH fed AS MATERIALIZED (
    SELECT l.lot, f.origin_lot_key, f.is_synthetic, f.copper_g
    FROM house.intermediate.int_campaign__origins_fed AS f
    INNER JOIN lots AS l ON f.lot_key = l.lot_key AND f.is_synthetic = l.is_synthetic
)
SELECT f.lot, true, l.lot, f.copper_g, 0, 0
FROM fed AS f
INNER JOIN lots AS l ON f.origin_lot_key = l.lot_key AND f.is_synthetic = l.is_synthetic;
DROP TABLE held;

CREATE TEMP TABLE wholes AS
SELECT
    lot, is_feed, sum(copper_g)::BIGINT AS lot_g, count(*) AS origin_count,
    -- the largest, of equal ones the first; numbers of lots have 32 bits, so copper has 31
    max_by(origin, copper_g * 4294967296 - origin) AS largest
FROM shares
GROUP BY ALL;

-- How much further a bound lies where the part is not sure.
CREATE TEMP MACRO unsure(bound, nearer, further, lot_g, origin_count) AS CASE
    WHEN nearer = 0 AND further = 0 THEN 0
    ELSE part(abs(bound), CASE WHEN bound < 0 THEN further ELSE nearer END, lot_g) + origin_count
END;

-- Milling is booked on tailings and shared over all that was fed; a lot without shares is its own origin. Bounds of a part lie
-- between zero and the whole's.
CREATE TEMP MACRO shared(amounts) AS TABLE
WITH whole AS (
    SELECT a.*, coalesce(w.lot_g, 1) AS lot_g, coalesce(w.origin_count, 1) AS origin_count,
    coalesce(w.largest, a.lot) AS largest
    FROM query_table(amounts) AS a
    LEFT JOIN wholes AS w USING (lot, is_feed)
),
rests AS (
    SELECT w.transfer, any_value(w.cents) - sum(part(w.cents, s.copper_g, w.lot_g))::BIGINT AS rest
    FROM whole AS w INNER JOIN shares AS s USING (lot, is_feed)
    WHERE w.origin_count > 1
    GROUP BY w.transfer
),
parts AS (
    SELECT
        largest AS origin, kind, payee, payer, basis, cents, below, above, cents - below AS bound_low,
        cents + above AS bound_high, 1 AS lot_g, 1 AS share_g, 1 AS spread, 0 AS unsure_low, 0 AS unsure_high
    FROM whole WHERE origin_count = 1
    UNION ALL
    SELECT
        s.origin, w.kind, w.payee, w.payer, w.basis,
        part(w.cents, s.copper_g, w.lot_g) + CASE WHEN s.origin = w.largest THEN r.rest ELSE 0 END AS cents,
        w.below, w.above, w.cents - w.below AS bound_low, w.cents + w.above AS bound_high, w.lot_g,
        s.copper_g AS share_g,
        CASE WHEN s.origin = w.largest THEN w.origin_count ELSE 1 END AS spread,
        unsure(w.cents - w.below, s.less_g, s.more_g, w.lot_g, w.origin_count) AS unsure_low,
        unsure(w.cents + w.above, s.more_g, s.less_g, w.lot_g, w.origin_count) AS unsure_high
    FROM whole AS w INNER JOIN rests AS r USING (transfer) INNER JOIN shares AS s USING (lot, is_feed)
)
SELECT
    origin, kind, payee, payer, basis, sum(cents)::BIGINT AS cents,
    sum(greatest(
        cents - CASE WHEN below = 0 THEN 0 ELSE part(below, share_g, lot_g) + spread END - unsure_low,
        least(bound_low, 0)
    ))::BIGINT AS low_cents,
    sum(least(
        cents + CASE WHEN above = 0 THEN 0 ELSE part(above, share_g, lot_g) + spread END + unsure_high,
        greatest(bound_high, 0)
    ))::BIGINT AS high_cents,
    count(*) AS transfer_count
FROM parts
GROUP BY ALL;

CREATE TEMP TABLE booked AS
SELECT * EXCLUDE (bound_low, bound_high), cents - bound_low AS below, bound_high - cents AS above
FROM (
    SELECT
        p.rowid AS transfer, p.lot, p.kind_code AS kind, p.payee_role_code AS payee, p.payer_role_code AS payer,
        p.kind_code = 'MILLING' AND f.lot IS NOT NULL AS is_feed,
        CASE
            WHEN i.basis <> 'observed' OR p.value_usd IS NULL THEN i.cents ELSE CAST(p.value_usd * 100 AS BIGINT)
        END AS cents,
        coalesce(i.low_cents, CAST(p.value_usd * 100 AS BIGINT)) AS bound_low,
        coalesce(i.high_cents, CAST(p.value_usd * 100 AS BIGINT)) AS bound_high,
        coalesce(i.basis, 'observed'::basis) AS basis,
        p.ticket_id IS NOT NULL OR p.sheet_id IS NOT NULL AS is_documented
    FROM paid AS p
    LEFT JOIN imputed AS i ON p.rowid = i.transfer
    LEFT JOIN (SELECT lot FROM wholes WHERE is_feed) AS f ON p.lot = f.lot
    WHERE p.value_usd IS NOT NULL OR i.transfer IS NOT NULL
);
DROP TABLE paid;

CREATE TEMP TABLE flows AS FROM shared('booked');

-- Where the papers lose sight of copper -----------------------------------------------------------------------------
CREATE TEMP TABLE ends AS
WITH onward AS (SELECT from_lot AS lot, sum(copper_g)::BIGINT AS copper_g FROM edges GROUP BY from_lot),
exported AS (
    SELECT l.lot, e.port_copper_g FROM house.intermediate.int_export__lots_valued AS e
    INNER JOIN lots AS l ON e.lot_key = l.lot_key AND e.is_synthetic = l.is_synthetic
),
held AS (
    SELECT
        m.lot, m.lot_kind, e.lot IS NOT NULL AS is_exported, w.lot_g,
        greatest(coalesce(w.lot_g, 0) - coalesce(o.copper_g, 0), 0) AS held_g,
        CASE
            WHEN e.lot IS NULL THEN 0
            WHEN e.port_copper_g < held_g * (1 - rule('LEFT_OVER_FRAC')) THEN e.port_copper_g
            ELSE held_g
        END AS exported_g
    FROM measures AS m
    LEFT JOIN exported AS e USING (lot)
    LEFT JOIN onward AS o USING (lot)
    LEFT JOIN (FROM wholes WHERE NOT is_feed) AS w USING (lot)
    WHERE m.lot_kind NOT IN ('TAILINGS', 'UNACCOUNTED')
        AND (e.lot IS NOT NULL OR o.lot IS NULL OR o.copper_g < w.lot_g * (1 - rule('LEFT_OVER_FRAC')))
)
SELECT lot, end_code, lot_g, left_g,
    coalesce(CAST(left_g AS DOUBLE) / nullif(coalesce(lot_g, 0), 0), 1)::DECIMAL(9, 6) AS left_frac
FROM (
    SELECT lot, 'EXPORTED' AS end_code, lot_g, exported_g AS left_g FROM held WHERE is_exported
    UNION ALL
    SELECT
        lot, CASE WHEN NOT is_exported AND lot_kind IN ('PIT', 'LOAD') THEN lot_kind::VARCHAR ELSE 'PRODUCT' END,
        lot_g, held_g - exported_g
    FROM held WHERE NOT is_exported OR exported_g < held_g
);

CREATE TEMP TABLE origins AS
WITH followed AS (
    SELECT
        s.origin AS lot,
        sum(g) FILTER (end_code = 'EXPORTED')::BIGINT AS exported_g,
        sum(g) FILTER (end_code = 'PIT')::BIGINT AS at_pit_g,
        sum(g) FILTER (end_code = 'LOAD')::BIGINT AS at_plant_g,
        sum(g) FILTER (end_code = 'PRODUCT')::BIGINT AS in_store_g
    FROM (
        SELECT
            s.origin, e.end_code,
            CASE WHEN e.left_g = e.lot_g THEN s.copper_g ELSE part(e.left_g, s.copper_g, e.lot_g) END AS g
        FROM shares AS s INNER JOIN ends AS e USING (lot)
        WHERE NOT s.is_feed
    ) AS s
    GROUP BY s.origin
),
own AS (
    SELECT s.lot, s.copper_g AS own_g, w.lot_g
    FROM shares AS s INNER JOIN wholes AS w USING (lot, is_feed)
    WHERE s.origin = s.lot AND NOT s.is_feed
),
undivided AS (
    SELECT lot FROM (SELECT lot FROM measures WHERE is_origin UNION SELECT lot FROM booked) AS begun
    ANTI JOIN wholes AS w USING (lot)
)
SELECT
    m.* REPLACE (
        coalesce(o.own_g, m.copper_g) AS copper_g,
        CASE
            WHEN o.own_g < o.lot_g THEN tonnes(part(CAST(m.mass_wmt * 1000000 AS BIGINT), o.own_g, o.lot_g))
            ELSE m.mass_wmt
        END AS mass_wmt,
        CASE
            WHEN o.own_g < o.lot_g THEN tonnes(part(CAST(m.mass_dmt * 1000000 AS BIGINT), o.own_g, o.lot_g))
            ELSE m.mass_dmt
        END AS mass_dmt
    ),
    coalesce(f.exported_g, 0) AS exported_g, coalesce(f.at_pit_g, 0) AS at_pit_g,
    coalesce(f.at_plant_g, 0) AS at_plant_g,
    coalesce(f.in_store_g, 0) AS in_store_g
FROM measures AS m
LEFT JOIN own AS o USING (lot)
LEFT JOIN undivided AS u USING (lot)
LEFT JOIN followed AS f USING (lot)
WHERE o.lot IS NOT NULL OR u.lot IS NOT NULL;

CREATE TEMP TABLE exported AS
WITH valued AS (
    SELECT
        l.lot, e.* EXCLUDE (lot_key, is_synthetic), coalesce(w.lot_g, 1) AS lot_g, coalesce(w.largest, l.lot) AS largest
    FROM house.intermediate.int_export__lots_valued AS e
    INNER JOIN lots AS l ON e.lot_key = l.lot_key AND e.is_synthetic = l.is_synthetic
    LEFT JOIN (FROM wholes WHERE NOT is_feed) AS w USING (lot)
),
export_parts AS (
    SELECT
        v.lot, coalesce(s.origin, v.lot) AS origin, v.is_final, v.has_terms, coalesce(s.copper_g, 1) AS g,
        part(port_copper_g, g, lot_g) AS port_g, part(payable_copper_g, g, lot_g) AS payable_g,
        part(metal_cents, g, lot_g) AS metal, part(tc_rc_cents, g, lot_g) AS tc_rc,
        part(penalties_cents, g, lot_g) AS penalties, part(credits_cents, g, lot_g) AS credits
    FROM valued AS v LEFT JOIN (FROM shares WHERE NOT is_feed) AS s USING (lot)
),
export_rests AS (
    SELECT
        v.largest AS origin, v.is_final, v.has_terms, 0 AS g,
        v.port_copper_g - p.port_g AS port_g, v.payable_copper_g - p.payable_g AS payable_g,
        v.metal_cents - p.metal AS metal,
        v.tc_rc_cents - p.tc_rc AS tc_rc, v.penalties_cents - p.penalties AS penalties,
        v.credits_cents - p.credits AS credits
    FROM valued AS v
    INNER JOIN (
        SELECT
            lot, sum(port_g) AS port_g, sum(payable_g) AS payable_g, sum(metal) AS metal, sum(tc_rc) AS tc_rc,
            sum(penalties) AS penalties, sum(credits) AS credits
        FROM export_parts GROUP BY lot
    ) AS p USING (lot)
)
SELECT
    origin AS lot, bool_and(is_final) AS is_final, bool_and(has_terms) AS has_terms, sum(port_g)::BIGINT AS port_g,
    sum(payable_g)::BIGINT AS payable_g,
    sum(metal)::BIGINT AS metal, sum(tc_rc)::BIGINT AS tc_rc, sum(penalties)::BIGINT AS penalties,
    sum(credits)::BIGINT AS credits
FROM (SELECT * EXCLUDE (lot) FROM export_parts UNION ALL FROM export_rests)
GROUP BY origin;

CREATE TEMP TABLE missing AS
WITH collected AS (SELECT DISTINCT lot FROM booked WHERE payee = 'COLLECTOR' OR payer = 'COLLECTOR'),
gaps AS (
    SELECT
        lot,
        list_filter([
            CASE WHEN copper_g IS NULL OR copper_g <= 0 THEN 'NO_COPPER' END,
            CASE WHEN copper_usd_per_t IS NULL THEN 'NO_PRICE' END,
            CASE WHEN lot_kind NOT IN ('PIT', 'LOAD') THEN 'NO_FEED' END,
            CASE WHEN lot_kind = 'LOAD' AND c.lot IS NOT NULL THEN 'NO_MIX' END,
            CASE WHEN at_pit_g > 0 THEN 'NO_LOAD' END,
            CASE WHEN at_plant_g > 0 THEN 'NO_CAMPAIGN' END,
            CASE WHEN in_store_g > 0 THEN 'NO_EXPORT' END
        ], lambda code: code IS NOT NULL) AS codes
    FROM origins LEFT JOIN collected AS c USING (lot)
)
SELECT lot, unnest(codes) AS missing_code FROM gaps WHERE len(codes) > 0
UNION ALL
SELECT l.lot, 'NO_BALANCE'
FROM house.intermediate.int_lot__unbalanced AS u
INNER JOIN lots AS l ON u.lot_key = l.lot_key AND u.is_synthetic = l.is_synthetic
UNION ALL
SELECT lot, 'NO_TERMS' FROM exported WHERE NOT has_terms
UNION ALL
SELECT DISTINCT origin, kind::VARCHAR FROM flows WHERE basis <> 'observed';

-- What lots are compared by, and what is usually paid ---------------------------------------------------------------
CREATE TEMP MACRO deal_of(kind, payee) AS CASE
    WHEN kind = 'ORE_AT_PLANT' OR (kind = 'CONCENTRATE' AND payee = 'PLANT') THEN 'BOUGHT'
    WHEN kind IN ('CONCENTRATE', 'MILLING') THEN 'TOLL'
END;

CREATE TEMP TABLE situations AS
WITH batches AS (
    SELECT
        lot_key, is_synthetic,
        max(CASE contract_kind_code WHEN 'COMPRA' THEN 'BOUGHT' WHEN 'MAQUILA' THEN 'TOLL' END) AS deal,
        bool_or(is_heap) AS is_mixed
    FROM (
        SELECT lot_key, is_synthetic, contract_kind_code, is_heap FROM house.intermediate.int_lot__batch_lines
        UNION ALL
        SELECT rest_lot_key, is_synthetic, contract_kind_code, is_heap FROM house.intermediate.int_lot__balances
    ) AS told
    GROUP BY ALL
),
paid AS (
    SELECT
        lot,
        max(deal_of(kind, payee)) AS deal,
        bool_or(payee = 'COLLECTOR' OR payer = 'COLLECTOR') AS has_collector,
        bool_or(kind = 'ORE_AT_PLANT' AND payee = 'OPERATOR' AND is_documented) AS is_operators
    FROM booked
    GROUP BY lot
)
SELECT
    m.lot, m.lot_key, m.is_synthetic,
    CASE m.lot_kind WHEN 'TAILINGS' THEN 'CAMPAIGN' ELSE m.lot_kind::VARCHAR END AS stage_code,
    CASE
        WHEN m.lot_kind = 'PIT' THEN '--'
        ELSE coalesce(b.deal, p.deal, '?')
    END AS deal_code,
    CASE
        WHEN m.lot_kind IN ('PRODUCT', 'TAILINGS') THEN '--'
        WHEN m.lot_kind = 'PIT' OR b.is_mixed OR p.has_collector THEN 'COLLECTOR'
        WHEN p.is_operators THEN 'OPERATOR'
        ELSE '?'
    END AS seller_code,
    m.form_code::VARCHAR AS form_code, m.band::VARCHAR AS band,
    product(coalesce(tonnes(f.lot_g), m.copper_central_t), m.copper_usd_per_t) AS central_usd,
    product(coalesce(tonnes(f.lot_g), m.copper_low_t), m.copper_usd_per_t) AS low_usd,
    product(coalesce(tonnes(f.lot_g), m.copper_high_t), m.copper_usd_per_t) AS high_usd
FROM measures AS m
LEFT JOIN batches AS b USING (lot_key, is_synthetic)
LEFT JOIN paid AS p USING (lot)
LEFT JOIN (FROM wholes WHERE is_feed) AS f USING (lot);

CREATE TEMP TABLE paid_flows AS
SELECT b.lot, s.stage_code, b.kind, b.payee, b.payer, f.is_always, usd(sum(b.cents)) AS amount
FROM booked AS b
INNER JOIN situations AS s USING (lot)
INNER JOIN house.reference.chain_flows AS f ON b.kind::VARCHAR = f.kind_code AND s.stage_code = f.stage_code
WHERE b.basis = 'observed' AND s.central_usd > 0 AND s.deal_code <> '?' AND s.seller_code <> '?'
GROUP BY ALL;

CREATE TEMP TABLE with_flow AS
SELECT
    concat_ws('/', f.stage_code, f.kind, f.payee, f.payer) AS kind_code, f.stage_code,
    s.deal_code AS feature_1, s.seller_code AS feature_2, s.form_code AS feature_3, s.band AS feature_4, s.is_synthetic,
    f.is_always, f.kind, f.lot, f.amount, s.central_usd AS base
FROM paid_flows AS f INNER JOIN situations AS s USING (lot);

CREATE TEMP TABLE usual AS
WITH counted AS (
    SELECT DISTINCT lot, stage_code, 'ANY' AS counted_code FROM paid_flows
    UNION ALL
    SELECT DISTINCT lot, stage_code, kind::VARCHAR FROM paid_flows WHERE is_always
    UNION ALL
    SELECT lot, stage_code, 'ANY' FROM situations
    WHERE stage_code = 'CAMPAIGN' AND deal_code = 'BOUGHT' AND central_usd > 0 AND seller_code <> '?'
),
counted_lots AS (
    SELECT
        c.stage_code, c.counted_code, s.deal_code, s.seller_code, s.form_code, s.band, s.is_synthetic,
        count(*) AS lot_count,
        sum(s.central_usd) AS base
    FROM counted AS c INNER JOIN situations AS s USING (lot)
    GROUP BY ALL
),
kinds AS (
    SELECT
        kind_code, is_synthetic, min(stage_code) AS stage_code,
        max(CASE WHEN is_always THEN kind::VARCHAR ELSE 'ANY' END) AS counted_code
    FROM with_flow
    GROUP BY ALL
),
lots_with AS (
    SELECT kind_code, feature_1, feature_2, feature_3, feature_4, is_synthetic, count(*) AS lot_count, sum(base) AS base
    FROM with_flow
    GROUP BY ALL
),
recovered AS (
    SELECT from_lot AS lot, sum(copper_g) FILTER (to_kind = 'PRODUCT') AS product_g, sum(copper_g) AS fed_g
    FROM edges WHERE to_kind IN ('PRODUCT', 'TAILINGS')
    GROUP BY from_lot
)
SELECT
    kind_code, 'CONTAINED' AS base_code, feature_1, feature_2, feature_3, feature_4, amount::DECIMAL(18, 6) AS amount,
    base::DECIMAL(24, 6) AS base, 1 AS row_weight, is_synthetic
FROM with_flow
UNION ALL
SELECT
    k.kind_code, 'CONTAINED', l.deal_code, l.seller_code, l.form_code, l.band, 0,
    (l.base - coalesce(w.base, 0))::DECIMAL(24, 6), l.lot_count - coalesce(w.lot_count, 0), l.is_synthetic
FROM counted_lots AS l
INNER JOIN kinds AS k USING (stage_code, counted_code, is_synthetic)
LEFT JOIN lots_with AS w
    ON k.kind_code = w.kind_code AND l.deal_code = w.feature_1 AND l.seller_code = w.feature_2
        AND l.form_code = w.feature_3
    AND l.band = w.feature_4 AND l.is_synthetic = w.is_synthetic
WHERE l.lot_count > coalesce(w.lot_count, 0)
UNION ALL
SELECT
    'RECOVERY', 'FED', s.form_code, s.band, '--', '--', tonnes(coalesce(r.product_g, 0)), tonnes(r.fed_g), 1,
    s.is_synthetic
FROM recovered AS r INNER JOIN situations AS s USING (lot)
WHERE s.central_usd > 0 AND s.deal_code <> '?' AND s.seller_code <> '?';
CREATE TEMP TABLE usual_cells AS FROM cells('usual');

CREATE TEMP TABLE lost AS
WITH losses AS (
    SELECT lot, 'NO_' || CASE end_code WHEN 'PIT' THEN 'LOAD' WHEN 'LOAD' THEN 'CAMPAIGN'
        ELSE 'EXPORT' END AS loss_code, left_frac
    FROM ends WHERE end_code IN ('PIT', 'LOAD', 'PRODUCT')
    UNION ALL
    SELECT lot, missing_code, 1 FROM missing WHERE missing_code IN ('NO_MIX', 'NO_FEED')
    UNION ALL
    SELECT s.lot, 'UNTOLD', 1
    FROM situations AS s INNER JOIN house.intermediate.int_document__named AS n USING (is_synthetic)
    WHERE n.missing_frac > rule('PAPERS_MISSING_FRAC')
)
SELECT
    l.loss_code, s.lot, s.is_synthetic, s.stage_code, s.deal_code, s.seller_code, s.form_code, s.band,
    wide(s.central_usd) * l.left_frac AS central_usd, wide(s.low_usd) * l.left_frac AS low_usd,
    wide(s.high_usd) * l.left_frac AS high_usd
FROM losses AS l INNER JOIN situations AS s USING (lot)
WHERE s.central_usd > 0;

CREATE TEMP TABLE recoveries AS
SELECT DISTINCT
    'RECOVERY' AS kind_code, 'FED' AS base_code, lot, is_synthetic,
    CASE WHEN stage_code = 'PRODUCT' THEN '--' ELSE form_code END AS feature_1,
    CASE WHEN stage_code = 'PRODUCT' THEN '--' ELSE band END AS feature_2, '--' AS feature_3, '--' AS feature_4
FROM lost WHERE loss_code IN ('NO_LOAD', 'NO_CAMPAIGN', 'NO_FEED');

CREATE TEMP TABLE beyond AS
WITH told AS (
    SELECT lot, kind, bool_or(is_documented) AS is_documented FROM booked SEMI JOIN lost USING (lot) GROUP BY ALL
),
usually AS (
    SELECT
        kind_code, is_synthetic, split_part(kind_code, '/', 1) AS stage_code,
        split_part(kind_code, '/', 2)::kind AS kind,
        split_part(kind_code, '/', 3)::link AS payee, split_part(kind_code, '/', 4)::link AS payer
    FROM usual_cells WHERE base_code = 'CONTAINED' AND cell_level = 0
)
SELECT
    l.lot, l.is_synthetic, l.loss_code, u.kind_code, 'CONTAINED' AS base_code, u.kind, u.payee, u.payer,
    CASE WHEN l.stage_code = 'PIT' AND u.stage_code <> 'PIT' THEN '?' ELSE l.deal_code END AS feature_1,
    CASE
        WHEN u.stage_code IN ('CAMPAIGN', 'PRODUCT') THEN '--' WHEN l.stage_code = 'PRODUCT' THEN '?'
        WHEN u.stage_code = 'PIT' THEN 'COLLECTOR' ELSE l.seller_code
    END AS feature_2,
    l.form_code AS feature_3, l.band AS feature_4, g.through_code, l.central_usd, l.low_usd, l.high_usd
FROM lost AS l
INNER JOIN house.reference.lot_loss_stages AS g USING (loss_code)
INNER JOIN usually AS u ON g.stage_code = u.stage_code AND l.is_synthetic = u.is_synthetic
LEFT JOIN told AS t ON l.lot = t.lot AND u.kind = t.kind
LEFT JOIN told AS sold ON l.lot = sold.lot AND sold.kind = 'ORE_AT_PLANT'
WHERE
    (l.loss_code <> 'UNTOLD' OR l.stage_code = u.stage_code)
    AND coalesce(l.deal_code IN (deal_of(u.kind, u.payee), '?', '--'), true)
    AND (t.lot IS NULL OR l.stage_code <> u.stage_code)
    AND NOT (
        l.loss_code = 'UNTOLD' AND u.kind IN ('BILLER_FEE', 'ORE_BETWEEN_COLLECTORS')
            AND coalesce(sold.is_documented, false)
    )
QUALIFY row_number() OVER (
    PARTITION BY l.lot, u.kind_code ORDER BY CASE l.loss_code WHEN 'UNTOLD' THEN 2 ELSE 1 END, l.loss_code
) = 1;

CREATE TEMP TABLE untold_amounts AS
WITH recovery AS (FROM ranged('recoveries', 'usual_cells')),
based AS (
    SELECT
        w.lot, w.kind, w.payee, w.payer, w.loss_code, w.low_ratio, w.central_ratio, w.high_ratio,
        (CASE w.through_code
            WHEN 'RECOVERED' THEN wide(w.central_usd) * r.central_ratio
            WHEN 'NEEDED' THEN wide(w.central_usd) / nullif(r.central_ratio, 0) ELSE w.central_usd
        END)::DECIMAL(18, 6) AS base,
        (CASE w.through_code
            WHEN 'RECOVERED' THEN wide(w.low_usd) * r.low_ratio
            WHEN 'NEEDED' THEN wide(w.low_usd) / nullif(r.high_ratio, 0) ELSE w.low_usd
        END)::DECIMAL(18, 6) AS base_low,
        (CASE w.through_code
            WHEN 'RECOVERED' THEN wide(w.high_usd) * r.high_ratio
            WHEN 'NEEDED' THEN wide(w.high_usd) / nullif(r.low_ratio, 0) ELSE w.high_usd
        END)::DECIMAL(18, 6) AS base_high
    FROM ranged('beyond', 'usual_cells') AS w LEFT JOIN recovery AS r USING (lot)
    WHERE w.central_ratio <> 0
),
valued AS (
    SELECT
        *, CASE WHEN loss_code = 'UNTOLD' AND low_ratio <= 0 THEN 0 ELSE wide(central_ratio) * base END AS value_usd,
        low(low_ratio, base_low, base_high) AS low_usd, high(high_ratio, base_low, base_high) AS high_usd
    FROM based
)
SELECT
    row_number() OVER () AS transfer, lot, false AS is_feed, kind, payee, payer, 'imputed'::basis AS basis,
    CAST(round(value_usd, 2) * 100 AS BIGINT) AS cents, cents - cents_low(value_usd, low_usd) AS below,
    cents_high(value_usd, high_usd) - cents AS above
FROM valued;
INSERT INTO flows FROM shared('untold_amounts');

-- From LME to FOB ---------------------------------------------------------------------------------------------------
CREATE TEMP MACRO told(has_terms, amount) AS CASE WHEN coalesce(has_terms, true) THEN coalesce(amount, 0) END;
CREATE TEMP TABLE bridge AS
WITH fob AS (
    SELECT
        origin AS lot, sum(cents) FILTER (basis = 'observed')::BIGINT AS fob,
        sum(cents) FILTER (basis <> 'observed')::BIGINT AS guessed,
        sum(low_cents)::BIGINT AS low_cents, sum(high_cents)::BIGINT AS high_cents
    FROM flows WHERE kind = 'EXPORT'
    GROUP BY origin
),
lacking AS (
    SELECT m.lot, min(c.rank) AS rank, bool_or(c.breaks_bridge) AS is_broken
    FROM missing AS m INNER JOIN house.reference.lot_missing_codes AS c USING (missing_code)
    GROUP BY m.lot
)
SELECT
    o.*, e.is_final, o.exported_g + o.at_pit_g + o.at_plant_g + o.in_store_g AS won_g,
    told(e.has_terms, e.payable_g) AS payable_g, told(e.has_terms, e.metal) AS metal,
    told(e.has_terms, e.tc_rc) AS tc_rc, told(e.has_terms, e.penalties) AS penalties,
    told(e.has_terms, e.credits) AS credits, coalesce(f.fob, 0) AS fob, coalesce(f.guessed, 0) AS guessed,
    coalesce(f.low_cents, 0) AS fob_low, coalesce(f.high_cents, 0) AS fob_high,
    NOT coalesce(l.is_broken, false) AS is_complete, c.missing_code,
    copper_cents(o.copper_g, copper_usd_per_t) AS copper, copper_cents(won_g, copper_usd_per_t) AS won,
    copper_cents(o.exported_g, copper_usd_per_t) AS exported,
    copper_cents(coalesce(e.port_g, 0), copper_usd_per_t) AS port,
    copper_cents(told(e.has_terms, e.payable_g), copper_usd_per_t) AS payable
FROM origins AS o
LEFT JOIN exported AS e USING (lot)
LEFT JOIN fob AS f USING (lot)
LEFT JOIN lacking AS l USING (lot)
LEFT JOIN house.reference.lot_missing_codes AS c ON l.rank = c.rank;

CREATE TABLE marts.fct_lot_value_bridge AS
SELECT
    lot_key, lot_kind AS lot_kind_code, form AS product_form_code, department_code, operator_key, reinfo_key,
    registry_state,
    first_date AS reference_date, copper_usd_per_t AS reference_copper_usd_per_t,
    copper_basis_code AS reference_price_basis_code, mass_wmt, mass_dmt, tonnes(copper_g) AS copper_t,
    tonnes(payable_g) AS payable_copper_t, usd(copper) AS lme_contained_usd,
    usd(copper - won) AS metallurgical_loss_usd,
    usd(exported - port) AS assay_difference_usd, usd(port - payable) AS payability_loss_usd,
    usd(payable) AS payable_lme_usd,
    usd(tc_rc) AS tc_rc_usd, usd(penalties) AS penalties_usd, usd(credits) AS credits_usd,
    usd(metal - payable) AS qp_effect_usd,
    usd(fob - coalesce(metal - tc_rc - penalties + credits, port, 0)) AS unexplained_usd, usd(fob) AS fob_usd,
    usd(won - exported) AS not_followed_usd,
    usd(guessed) AS fob_imputed_usd, usd(fob_low) AS fob_low_usd, usd(fob_high) AS fob_high_usd, is_complete,
    coalesce(is_final, false) AS is_fob_final, missing_code, is_synthetic
FROM bridge;

-- What each link took in, paid and kept -----------------------------------------------------------------------------
CREATE TABLE marts.fct_lot_link_margin AS
WITH sides AS (
    SELECT
        origin, payee AS link, basis, cents AS revenue, 0 AS purchases,
        CASE WHEN payee = payer THEN cents ELSE low_cents END AS low_cents,
        CASE WHEN payee = payer THEN cents ELSE high_cents END AS high_cents, transfer_count
    FROM flows
    UNION ALL
    SELECT
        origin, payer, basis, 0, cents, -CASE WHEN payee = payer THEN cents ELSE high_cents END,
        -CASE WHEN payee = payer THEN cents ELSE low_cents END, transfer_count
    FROM flows
    WHERE payer <> 'ABROAD'
),
links AS (
    SELECT
        origin, link, sum(revenue)::BIGINT AS revenue, sum(purchases)::BIGINT AS purchases,
        sum(low_cents)::BIGINT AS low_cents,
        sum(high_cents)::BIGINT AS high_cents, sum(revenue + purchases)::BIGINT AS turnover,
        coalesce(sum(revenue + purchases) FILTER (basis = 'modelled'), 0)::BIGINT AS modelled,
        coalesce(sum(revenue + purchases) FILTER (basis = 'imputed'), 0)::BIGINT AS imputed,
        bool_or(basis = 'imputed') AS has_imputed, bool_or(basis = 'modelled') AS has_modelled,
        sum(transfer_count)::BIGINT AS transfer_count
    FROM sides
    GROUP BY ALL
)
SELECT
    l.lot_key, k.link AS link_code, usd(revenue) AS revenue_usd, usd(purchases) AS purchases_usd,
    usd(revenue - purchases) AS gross_margin_usd, usd(k.low_cents) AS gross_margin_low_usd,
    usd(k.high_cents) AS gross_margin_high_usd,
    NULL::DECIMAL(18, 2) AS direct_cost_usd, NULL::DECIMAL(18, 2) AS net_margin_low_usd,
    usd(k.high_cents) AS net_margin_high_usd,
    (CAST(usd(revenue - purchases) AS DOUBLE) / nullif(CAST(tonnes(b.copper_g) AS DOUBLE), 0))::DECIMAL(18, 4)
        AS gross_margin_usd_per_t,
    (CAST(usd(revenue - purchases) AS DOUBLE) / nullif(CAST(b.mass_dmt AS DOUBLE), 0))::DECIMAL(18, 4)
        AS gross_margin_usd_per_dmt,
    usd(turnover - modelled - imputed) AS observed_usd, usd(modelled) AS modelled_usd, usd(imputed) AS imputed_usd,
    (CAST(turnover - modelled - imputed AS DOUBLE) / nullif(CAST(turnover AS DOUBLE), 0))::DECIMAL(9, 6)
        AS observed_share_frac,
    (CASE WHEN has_imputed THEN 'imputed' WHEN has_modelled THEN 'modelled' ELSE 'observed' END)::basis
        AS value_basis_code,
    transfer_count, coalesce(b.is_complete, false) AS is_complete, l.is_synthetic
FROM links AS k
INNER JOIN lots AS l ON k.origin = l.lot
LEFT JOIN bridge AS b ON k.origin = b.lot;

CREATE TABLE marts.mart_value_chain_margin AS
WITH lots AS (
    SELECT
        lot_key, date_trunc('month', reference_date)::DATE AS month, coalesce(department_code, '--') AS department_code,
        coalesce(product_form_code::VARCHAR, '--') AS product_form_code, registry_state, operator_key, copper_t,
        mass_dmt,
        lme_contained_usd, payable_lme_usd, fob_usd, is_complete, is_complete AND NOT is_fob_final AS is_provisional,
        is_synthetic
    FROM marts.fct_lot_value_bridge
),
cells AS (
    SELECT
        month, department_code, product_form_code, registry_state, is_synthetic, count(*) AS cell_lot_count,
        count(*) FILTER (is_complete) AS complete_lot_count,
        count(*) FILTER (is_provisional) AS provisional_lot_count, sum(copper_t) AS copper_t, sum(mass_dmt) AS mass_dmt,
        sum(lme_contained_usd) FILTER (is_complete) AS lme_contained_usd,
        sum(payable_lme_usd) FILTER (is_complete) AS payable_lme_usd, sum(fob_usd) FILTER (is_complete) AS fob_usd
    FROM lots
    GROUP BY ALL
),
links AS (
    SELECT
        l.month, l.department_code, l.product_form_code, l.registry_state, m.link_code, l.is_synthetic,
        count(*) AS lot_count,
        count(DISTINCT l.operator_key) AS operator_count, sum(m.revenue_usd) AS revenue_usd,
        sum(m.purchases_usd) AS purchases_usd,
        sum(m.gross_margin_usd) AS gross_margin_usd, sum(m.gross_margin_low_usd) AS gross_margin_low_usd,
        sum(m.gross_margin_high_usd) AS gross_margin_high_usd,
        coalesce(sum(m.gross_margin_usd) FILTER (l.copper_t > 0), 0) AS of_copper_usd,
        coalesce(sum(m.gross_margin_usd) FILTER (l.mass_dmt > 0), 0) AS of_mass_usd,
        sum(m.gross_margin_usd) FILTER (l.is_complete) AS complete_usd, sum(m.observed_usd) AS observed_usd,
        sum(m.modelled_usd) AS modelled_usd, sum(m.imputed_usd) AS imputed_usd
    FROM marts.fct_lot_link_margin AS m INNER JOIN lots AS l USING (lot_key, is_synthetic)
    GROUP BY ALL
),
joined AS (
    SELECT k.*, c.* EXCLUDE (month, department_code, product_form_code, registry_state, is_synthetic),
        k.observed_usd + k.imputed_usd + k.modelled_usd AS turnover_usd
    FROM links AS k
    INNER JOIN cells AS c USING (month, department_code, product_form_code, registry_state, is_synthetic)
)
SELECT
    month, department_code, product_form_code, link_code, registry_state, lot_count, operator_count, cell_lot_count,
    complete_lot_count, provisional_lot_count,
    revenue_usd::DECIMAL(18, 2) AS revenue_usd, purchases_usd::DECIMAL(18, 2) AS purchases_usd,
    gross_margin_usd::DECIMAL(18, 2) AS gross_margin_usd, gross_margin_low_usd::DECIMAL(18, 2) AS gross_margin_low_usd,
    gross_margin_high_usd::DECIMAL(18, 2) AS gross_margin_high_usd, copper_t::DECIMAL(18, 6) AS copper_t,
    mass_dmt::DECIMAL(18, 6) AS mass_dmt,
    of_copper_usd::DECIMAL(18, 2) AS copper_known_gross_margin_usd,
    of_mass_usd::DECIMAL(18, 2) AS mass_known_gross_margin_usd,
    (CAST(of_copper_usd AS DOUBLE) / nullif(CAST(copper_t AS DOUBLE), 0))::DECIMAL(18, 4) AS gross_margin_usd_per_t,
    (CAST(of_mass_usd AS DOUBLE) / nullif(CAST(mass_dmt AS DOUBLE), 0))::DECIMAL(18, 4) AS gross_margin_usd_per_dmt,
    coalesce(complete_usd, 0)::DECIMAL(18, 2) AS complete_gross_margin_usd,
    coalesce(lme_contained_usd, 0)::DECIMAL(18, 2) AS lme_contained_usd,
    coalesce(payable_lme_usd, 0)::DECIMAL(18, 2) AS payable_lme_usd,
    coalesce(fob_usd, 0)::DECIMAL(18, 2) AS fob_usd,
    (CAST(complete_usd AS DOUBLE) / nullif(CAST(lme_contained_usd AS DOUBLE), 0))::DECIMAL(12, 6)
        AS share_of_lme_contained_frac,
    (CAST(complete_usd AS DOUBLE) / nullif(CAST(payable_lme_usd AS DOUBLE), 0))::DECIMAL(12, 6)
        AS share_of_payable_frac,
    (CAST(complete_usd AS DOUBLE) / nullif(CAST(fob_usd AS DOUBLE), 0))::DECIMAL(12, 6) AS share_of_fob_frac,
    (CAST(observed_usd AS DOUBLE) / nullif(CAST(turnover_usd AS DOUBLE), 0))::DECIMAL(9, 6) AS observed_share_frac,
    (CAST(imputed_usd AS DOUBLE) / nullif(CAST(turnover_usd AS DOUBLE), 0))::DECIMAL(9, 6) AS imputed_share_frac,
    (CAST(modelled_usd AS DOUBLE) / nullif(CAST(turnover_usd AS DOUBLE), 0))::DECIMAL(9, 6) AS modelled_share_frac,
    is_synthetic
FROM joined;
