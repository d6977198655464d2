"""The site: every page in every language, what it may and may not say, and that it can be read by everybody."""

import datetime as dt
import itertools
import json
import re
import string
from decimal import Decimal
from pathlib import Path

import lxml.html
import polars as pl
import pytest
import yaml

from pipelines import contracts
from pipelines.disclosure.parameters import parameters
from pipelines.errors import AntawasiError
from pipelines.publish import changes, metrics, site, vintages
from pipelines.publish.site import charts, edition, language, pages, peru

AS_OF = dt.date(2026, 6, 30)
ES, EN = language.languages()
HOSTILE = "<script>alert('x')</script>\"><img src=x onerror=y>&lt;b&gt;"
#: Pages with charts beside maps.
CHARTED = [name for name in pages.WITH_FIGURES if name != "provincias"]
PRODUCTS = [name for name, contract in contracts.all_contracts().items() if contract.layer == "published"]


def table(product: str, *rows: dict) -> pl.DataFrame:
    """Rows of a product in its contract's types; columns that a row does not name are empty, or plain where they must not be."""
    contract = contracts.contract(product)
    plain = {"place_level_code": "NATION", "place_name": "Perú", "period_level_code": "YEAR", "sex_code": "T", "claim_code": "--",
             "obs_status_code": "A", "is_synthetic": True, "milestone_order": 1}  # fmt: skip
    filled = [{c: row.get(c, plain.get(c)) for c in contract.column_names} for row in rows]
    return pl.DataFrame(filled, schema=contract.schema(lineage=False), orient="row")


def hidden(row: dict, *figures: str) -> dict:
    return row | dict.fromkeys(figures) | {"obs_status_code": "C"}


def place(code: str, name: str) -> dict:
    return {"place_code": code, "place_name": name, "place_level_code": "NATION" if code == "PE" else "DEPARTMENT"}


PLACES = [place("PE", "Perú"), place("03", "APURIMAC"), place("04", "AREQUIPA"), place("99", HOSTILE)]
LINKS = {"OPERATOR": "340.00", "PLANT": "260.00", "TRADER": "400.00"}


def margins(*, status: str = "A", is_synthetic: bool = True) -> pl.DataFrame:
    figures = ("received_usd", "paid_usd", "gross_margin_usd", "gross_margin_usd_per_t", "share_of_fob_frac", "fob_usd",
               "lme_contained_usd", "copper_t")  # fmt: skip
    rows = []
    for at in PLACES:
        for link, margin in LINKS.items():
            usd = Decimal(margin)
            row = at | {
                "period_code": "2025", "link_code": link, "received_usd": usd, "paid_usd": Decimal(0), "gross_margin_usd": usd,
                "gross_margin_usd_per_t": usd * 10, "share_of_fob_frac": usd / 1000, "fob_usd": Decimal(1000),
                "lme_contained_usd": Decimal(1190), "copper_t": Decimal("0.1"), "is_synthetic": is_synthetic,
            }  # fmt: skip
            rows.append(hidden(row, *figures) if status != "A" or at["place_code"] == "04" else row)
    quarter = [
        row | {"period_code": "2025-Q3", "period_level_code": "QUARTER"} for row in rows if row["place_code"] == "PE"
    ]
    return table("pub_value_chain_margin", *rows, *quarter)


def world() -> dict[str, pl.DataFrame]:
    """All nine products: hidden cells beside shown ones, a hostile place, and measured rows where the sample has them."""
    prices = [
        at | {"period_code": "2025", "kind_code": kind, "denominator_code": d, "paid_usd": Decimal(45),
              "denominator_usd": Decimal(100), "paid_to_denominator_frac": Decimal(share)}
        for at in PLACES for kind in ("ORE_AT_PIT", "ORE_AT_PLANT")
        for d, share in (("LME_CONTAINED", "0.45"), ("NETBACK", "0.66"), ("TARIFF", "1.16"))
    ]  # fmt: skip
    custody = [
        at | {"period_code": "2025", "class_code": c, "copper_t": Decimal(10) * i, "share_frac": Decimal(i) / 6}
        for at in PLACES for i, c in enumerate(("GOOD_STANDING", "NO_GOOD_STANDING", "NOT_KNOWN"), 1)
    ]  # fmt: skip
    milestones = ES.get("codes.milestones")
    progress = [
        at | {"month": dt.date(2025, 12, 1), "milestone_code": m, "eligible_registration_count": 50, "is_synthetic": s,
              "reached_registration_count": 4, "share_frac": Decimal("0.08")}
        for at in PLACES for m in milestones for s in (True, False)
    ]  # fmt: skip
    progress = [
        row if row["is_synthetic"] and row["place_code"] != "04"
        else hidden(row, "eligible_registration_count", "reached_registration_count", "share_frac") for row in progress
    ]  # fmt: skip
    survival = [
        {"milestone_code": m, "curve_code": curve, "duration_days": day, "at_risk_count": 40, "waiting_frac": share,
         "waiting_low_frac": share - Decimal("0.05"), "waiting_high_frac": share + Decimal("0.05"),
         "reached_incidence_frac": 1 - share, "excluded_incidence_frac": Decimal(0)}
        for m in milestones for curve in ("PUNTUAL", "INFERIOR", "SUPERIOR")
        for day, share in ((180, Decimal("0.9")), (1800, Decimal("0.69")), (4000, Decimal("0.3")))
    ]  # fmt: skip
    flows = [
        at | {"period_code": "2025", "flow_code": flow, "registration_count": 7}
        for at in PLACES
        for flow in ES.get("codes.flows")
    ]
    copper = [
        {"production_year": 2024, **PLACES[0], "measure_code": m, "basis_code": basis, "copper_low_t": t, "copper_t": t,
         "copper_high_t": t, "is_synthetic": False}
        for m, basis, t in (("OFFICIAL_PPM", "OFFICIAL", Decimal(5000)), ("OFFICIAL_PMA", "NOT_REPORTED", None),
                            ("OFFICIAL_RG", "OFFICIAL", Decimal(2730000)))
    ] + [
        {"production_year": 2024, **PLACES[0], "measure_code": "CLAIM_TRUCKS", "claim_code": HOSTILE, "basis_code": "CLAIMED",
         "copper_low_t": Decimal(45900), "copper_high_t": Decimal(45900), "is_synthetic": False},
        *({"production_year": 2024, **at, "measure_code": "OFFICIAL_PPM", "basis_code": "OFFICIAL", "copper_low_t": Decimal(9),
           "copper_t": Decimal(9), "copper_high_t": Decimal(9), "is_synthetic": False} for at in PLACES[1:]),
        *({"production_year": 2025, **at, "measure_code": "WAYBILL_ORE_CONTAINED", "basis_code": "DOCUMENTS",
           "copper_low_t": Decimal(100), "copper_t": Decimal(120), "copper_high_t": Decimal(130)} for at in PLACES),
    ]  # fmt: skip
    production = [
        {"month": dt.date(year, 1, 1), "department_code": code, "department_name": name, "stratum_code": "PPM", "stage_code": "CONCENTRACION",
         "fine_copper_t": Decimal("1234.5"), "source_as_of": AS_OF, "is_synthetic": False}
        for year in (2023, 2024) for code, name in (("02", "ANCASH"), ("99", HOSTILE))
    ]  # fmt: skip
    london = [
        {"month": dt.date(year, 1, 1), "copper_usd_per_t": Decimal(9000 + year), "copper_usd_cents_per_lb": Decimal(400),
         "source": "worldbank_pinksheet", "source_as_of": AS_OF, "is_synthetic": False} for year in range(1999, 2026)
    ]  # fmt: skip
    return {
        "pub_chain_of_custody": table("pub_chain_of_custody", *custody),
        "pub_copper_price": table("pub_copper_price", *london),
        "pub_copper_production": table("pub_copper_production", *production),
        "pub_formalization_progress": table("pub_formalization_progress", *progress),
        "pub_formalization_survival": table("pub_formalization_survival", *survival),
        "pub_invisible_copper": table("pub_invisible_copper", *copper),
        "pub_price_fairness": table("pub_price_fairness", *prices),
        "pub_registry_transitions": table("pub_registry_transitions", *flows),
        "pub_value_chain_margin": margins(),
    }


NO_CHANGES = pl.DataFrame(schema=changes.CHANGE_SCHEMA)
REVISED = pl.DataFrame(
    [("pub_copper_price", "revised", HOSTILE, "copper_usd_per_t", HOSTILE, "2", None)],
    schema=changes.CHANGE_SCHEMA,
    orient="row",
)
EMPTY = {name: contracts.contract(name).schema(lineage=False).to_frame() for name in PRODUCTS}


def written(
    folder: Path,
    published: dict[str, pl.DataFrame],
    changed: pl.DataFrame = NO_CHANGES,
    moved: pl.DataFrame | None = None,
) -> dict[str, str]:
    """The site's pages by their path in the folder."""
    folder.mkdir()
    site.write(folder, "v2026.06.1", AS_OF, published, [f"Fuente: {HOSTILE}"], changed, moved)
    return {p.relative_to(folder).as_posix(): p.read_text(encoding="utf-8") for p in sorted(folder.rglob("*.html"))}


@pytest.fixture(scope="module")
def folder(tmp_path_factory) -> Path:
    return tmp_path_factory.mktemp("site") / "release"


@pytest.fixture(scope="module")
def found(folder) -> dict[str, str]:
    return written(folder, world(), REVISED)


@pytest.fixture(scope="module")
def parsed(found) -> dict[str, lxml.html.HtmlElement]:
    return {name: lxml.html.document_fromstring(text) for name, text in found.items()}


@pytest.fixture(scope="module")
def empty(tmp_path_factory) -> dict[str, str]:
    return written(tmp_path_factory.mktemp("empty") / "release", EMPTY)


def text_of(page: str) -> str:
    return re.sub(r"\s+", " ", lxml.html.document_fromstring(page).find("body").text_content()).replace("\u00a0", " ")


def rows_of(page: str) -> list[list[str]]:
    """The texts of all rows of all tables of a page."""
    return [[cell.text_content() for cell in row] for row in lxml.html.document_fromstring(page).xpath("//tbody/tr")]


# --- texts --------------------------------------------------------------------------------------


def leaves(part, key="") -> dict[str, str]:
    if isinstance(part, dict):
        return {k: v for name, value in part.items() for k, v in leaves(value, f"{key}.{name}").items()}
    if isinstance(part, list):
        return {k: v for i, value in enumerate(part) for k, v in leaves(value, f"{key}.{i}").items()}
    return {key: part}


def test_languages_have_the_same_keys_and_places_to_fill():
    ours, theirs = leaves(ES.texts), leaves(EN.texts)
    assert list(ours) == list(theirs)
    for key, text in ours.items():
        fields = [{f for _, f, _, _ in string.Formatter().parse(t) if f} for t in (text, theirs[key])]
        assert fields[0] == fields[1], key
        assert (text and theirs[key]) or key.endswith("thousands"), key


def test_every_code_of_a_contract_has_its_words():
    told = {"link_code": "links", "kind_code": "kinds", "denominator_code": "denominators", "milestone_code": "milestones",
            "flow_code": "flows", "class_code": "classes", "measure_code": "measures", "basis_code": "bases",
            "obs_status_code": "status"}  # fmt: skip
    for column in (c for name in PRODUCTS for c in contracts.contract(name).columns if c.name in told):
        for say in (ES, EN):
            assert list(say.get(f"codes.{told[column.name]}")) == list(column.codes), (column.name, say.code)


def test_a_new_language_is_a_file(tmp_path, monkeypatch):
    for say in (ES, EN):
        (tmp_path / f"{say.code}.yaml").write_text(yaml.safe_dump(say.texts, allow_unicode=True), encoding="utf-8")
    (tmp_path / "qu.yaml").write_text(
        yaml.safe_dump(ES.texts | {"name": "Runasimi"}, allow_unicode=True), encoding="utf-8"
    )
    monkeypatch.setattr(language, "_TEXTS", tmp_path)
    language.languages.cache_clear()
    try:
        got = written(tmp_path / "release", {})
    finally:
        language.languages.cache_clear()
    assert {name for name in got if name.startswith("qu/")} == {f"qu/{name}.html" for name in pages.NAMES}
    assert 'href="qu/datos.html" lang="qu"' in got["datos.html"] and '<html lang="qu">' in got["qu/datos.html"]


def test_a_missing_text_is_named():
    with pytest.raises(AntawasiError, match=r"texts/es\.yaml: no text 'site\.nothing'"):
        ES("site.nothing")


@pytest.mark.parametrize(
    ("value", "decimals", "es", "en"),
    [
        (Decimal("1234.45"), 1, "1\u00a0234,5", "1,234.5"),
        (Decimal("2730973.9"), 0, "2\u00a0730\u00a0974", "2,730,974"),
        (0.5, 0, "1", "1"),
        (Decimal("-0.2"), 0, "0", "0"),
        (-1234, 0, "−1\u00a0234", "−1,234"),
        (None, 2, "–", "–"),
    ],
)
def test_numbers_are_written_as_each_language_writes_them(value, decimals, es, en):
    assert (ES.number(value, decimals), EN.number(value, decimals)) == (es, en)


def test_dates_and_periods_are_written_as_each_language_writes_them():
    assert (ES.date(dt.date(2026, 11, 25)), EN.date(dt.date(2026, 9, 5))) == ("25 nov 2026", "5 Sep 2026")
    assert [ES.period(p) for p in ("2025", "2025-Q3", "2025-08", "2025-09-01")] == [
        "2025",
        "III trim. 2025",
        "ago 2025",
        "set 2025",
    ]
    assert [EN.period(p) for p in ("2025-Q3", "2025-08")] == ["Q3 2025", "Aug 2025"]
    assert (ES.percent(Decimal("0.4505"), 1), EN.percent(0.45)) == ("45,1\u00a0%", "45%")


# --- every page ---------------------------------------------------------------------------------


def test_every_page_stands_in_both_languages(found):
    assert set(found) == {f"{folder}{name}.html" for folder in ("", "en/") for name in pages.NAMES}


def test_every_page_says_what_it_is(parsed):
    titles = set()
    for name, page in parsed.items():
        assert page.get("lang") == ("en" if name.startswith("en/") else "es")
        assert len(page.findall(".//h1")) == 1 and len(page.findall(".//main")) == 1
        title = page.findtext(".//title")
        assert "v2026.06.1" in title
        titles.add(title)
        skip = page.find(".//a[@class='skip']")
        assert page.get_element_by_id(skip.get("href")[1:]).tag == "main"
        assert [a.get("href") for a in page.findall(".//nav[@class='pages']//a[@aria-current]")] == [Path(name).name]
    assert len(titles) == len(parsed)


def test_headings_go_down_one_step_at_a_time(parsed):
    for name, page in parsed.items():
        steps = [int(h.tag[1]) for h in page.iter("h1", "h2", "h3", "h4")]
        assert steps[0] == 1 and all(after <= before + 1 for before, after in itertools.pairwise(steps)), name


def test_names_of_things_are_unique_and_labels_lead_somewhere(parsed):
    for name, page in parsed.items():
        ids = page.xpath("//@id")
        assert len(ids) == len(set(ids)), name
        for reference in page.xpath("//@aria-labelledby | //label/@for | //output/@for"):
            assert reference in ids, (name, reference)
        for pattern in re.findall(r"url\(#([^)]+)\)", lxml.html.tostring(page, encoding="unicode")):
            assert pattern in ids, (name, pattern)


def test_every_drawing_has_a_label_and_every_table_its_headers(parsed):
    drawings = 0
    for name, page in parsed.items():
        for svg in page.iter("svg"):
            drawings += 1
            assert svg.get("role") == "img" and len(svg.get("aria-label")) > 20, name
            assert not svg.xpath(".//*[@role or @aria-label]"), "the drawing's own roles would be read out"
        for found_table in page.iter("table"):
            heads, rows = found_table.xpath("./thead/tr/th[@scope='col']"), found_table.xpath("./tbody/tr")
            assert found_table.find("caption") is not None and heads and rows, name
            for row in rows:
                assert len(row) == len(heads) and row[0].tag == "th" and row[0].get("scope") == "row"
            scroll = found_table.getparent()
            assert scroll.get("class") == "scroll" and scroll.get("tabindex") == "0" and scroll.get("aria-label")
        assert not page.xpath("//img")
    assert drawings >= 2 * 13


def test_links_lead_to_pages_and_files_of_the_release(folder, parsed):
    files = {f"{p}.{s}" for p in PRODUCTS for s in ("csv", "xlsx", "parquet")}
    files |= {
        "antawasi_public.duckdb",
        "datapackage.json",
        "changes.csv",
        "CHANGELOG.md",
        "ATTRIBUTIONS.md",
        "LICENSE.txt",
        "SHA256SUMS",
    }
    seen = set()
    for name, page in parsed.items():
        for link in page.xpath("//@href"):
            path, _, mark = link.partition("#")
            target = ((folder / name).parent / path).resolve() if path else folder / name
            assert target.is_relative_to(folder.resolve()) or not path, link
            relative = target.relative_to(folder.resolve()).as_posix() if path else name
            assert relative in files or relative in parsed, (name, link)
            seen.add(relative)
            if mark:
                assert mark in parsed[relative].xpath("//@id"), (name, link)
    assert files <= seen


def test_the_language_switch_keeps_the_page(parsed):
    for name, page in parsed.items():
        targets = {a.get("hreflang"): a.get("href") for a in page.xpath("//nav[@class='languages']/a")}
        own = Path(name).name
        assert targets == (
            {"es": f"../{own}", "en": f"../en/{own}"} if name.startswith("en/") else {"es": own, "en": f"en/{own}"}
        )


def test_pages_are_small_and_ask_nothing_of_others(found):
    for name, text in found.items():
        assert len(text.encode()) < 100_000, name
        assert not re.search(
            r"""(?:src|href|action|data)\s*=\s*["'](?:https?:)?//|@import|url\(["']?(?:https?:)?//|fetch\(|<link rel="stylesheet""",
            text,
        )
        assert text.count("<script") == (1 if Path(name).stem in ("datos", *CHARTED) else 0)
        assert not re.search(r"<script[^>]*\bsrc=", text)


def test_the_same_frames_give_the_same_bytes(found, tmp_path):
    assert written(tmp_path / "again", world(), REVISED) == found


def test_hostile_names_stay_text(found, parsed):
    plain = HOSTILE.replace("\u00a0", " ")
    for name, page in parsed.items():
        assert not page.xpath("//img | //@onerror | //b"), name
        assert not [s for s in page.iter("script") if "alert" in s.text_content()]
    for name in ("index.html", "margenes.html", "invisible.html", "metodo.html", "en/precio.html"):
        assert plain in parsed[name].text_content(), name
    assert any(plain in label.replace("\u00a0", " ") for label in parsed["invisible.html"].xpath("//svg/@aria-label"))


# --- what pages say -----------------------------------------------------------------------------


def test_titles_answer_from_the_data(found):
    page = text_of(found["margenes.html"])
    assert "De cada US$ 100 de FOB, la comercializadora retiene 40 y el operador minero retiene 34" in page
    assert "Of each US$100 of FOB, the trader keeps 40 and the mine operator keeps 34" in text_of(
        found["en/margenes.html"]
    )
    assert (
        "En planta se paga 45 % del valor LME del cobre, 66 % del netback y 116 % de una tarifa pública supuesta"
        in text_of(found["precio.html"])
    )
    assert "de cada 100 inscripciones 69 aún no tienen el instrumento ambiental presentado" in text_of(
        found["formalizacion.html"]
    )
    told = text_of(found["invisible.html"])
    assert "Los pequeños productores declararon 5 000 t de cobre en 2024, y los artesanales nada; " in told
    assert "lo que se afirma de 2024, 45 900 t, es unas 9 veces eso" in told
    assert "de cobre declararon los pequeños productores en el último año oficial, y los artesanales nada" in text_of(
        found["index.html"]
    )
    assert "Small producers declared 5,000 t of copper in 2024, and artisanal producers nothing;" in text_of(
        found["en/invisible.html"]
    )
    assert "Artesanales (PMA), 2024" in told and "no declaró" in told


@pytest.mark.parametrize(
    ("declared", "title"),
    [
        ({"OFFICIAL_PMA": 10}, "Los pequeños productores y los artesanales declararon 5 010 t de cobre en 2024; "
         "lo que se afirma de 2024, 45 900 t o más, es unas 9 veces eso"),
        ({"OFFICIAL_PPM": None, "OFFICIAL_PMA": 10}, "Los artesanales declararon 10 t de cobre en 2024, y los pequeños productores nada; "),
        ({"OFFICIAL_PPM": None}, "Ni los pequeños productores ni los artesanales declararon cobre en 2024"),
    ],
)  # fmt: skip
def test_the_title_names_the_strata_that_declared_and_says_or_more_only_of_a_range(tmp_path, declared, title):
    copper = world()["pub_invisible_copper"]
    of_country = pl.col("place_code") == "PE"
    for measure, tonnes in ({"CLAIM_TRUCKS": 60_000} | declared).items():
        column = "copper_high_t" if measure == "CLAIM_TRUCKS" else "copper_t"
        is_row = of_country & (pl.col("measure_code") == measure)
        copper = copper.with_columns(
            pl.when(is_row).then(pl.lit(tonnes)).otherwise(column).cast(copper.schema[column]).alias(column)
        )
    page = written(tmp_path / "site", world() | {"pub_invisible_copper": copper})["invisible.html"]
    assert title in text_of(page)


def test_hidden_figures_are_named_and_never_a_number(found):
    page = lxml.html.document_fromstring(found["margenes.html"])
    row = next(
        r for r in page.xpath("//section[@id='link_shares-simulado']//tbody/tr") if r[0].text_content() == "Arequipa"
    )
    assert [cell.text_content() for cell in row[1:]] == ["reservado"] * 3
    formalization = lxml.html.document_fromstring(found["formalizacion.html"])
    measured = formalization.get_element_by_id("funnel-medido")
    assert "Reservado en dic 2025" in measured.text_content() and not measured.xpath(".//svg")
    assert {td.text_content() for td in measured.xpath(".//td")} == {"reservado"}


def test_one_hidden_link_leaves_the_others(tmp_path):
    """What is hidden of a bar is named in the drawing too, and nothing is divided by it."""
    figures = [
        c.name for c in contracts.contract("pub_value_chain_margin").columns if c.physical_type.startswith("DECIMAL")
    ]
    is_plant = pl.col("link_code") == "PLANT"
    partly = margins().with_columns(
        *(pl.when(is_plant).then(None).otherwise(pl.col(c)).alias(c) for c in figures),
        pl.when(is_plant).then(pl.lit("D")).otherwise("obs_status_code").alias("obs_status_code"),
    )
    page = lxml.html.document_fromstring(written(tmp_path / "r", {"pub_value_chain_margin": partly})["margenes.html"])
    told = page.get_element_by_id("waterfall-simulado")
    assert ["Planta", "reservado", "reservado"] in [
        [c.text_content() for c in row] for row in told.xpath(".//tbody/tr")
    ]
    assert "la comercializadora retiene 40 y el operador minero retiene 34" in told.findtext("h2")
    for name in ("waterfall-simulado", "link_shares-simulado"):
        assert "reservado" in page.get_element_by_id(name).find(".//svg").text_content()


def test_a_hidden_country_gives_a_hidden_number_on_the_first_page(tmp_path):
    got = text_of(written(tmp_path / "r", {"pub_value_chain_margin": margins(status="C")})["index.html"])
    assert re.search(r"Márgenes reservado del valor FOB", got) and re.search(r"Precio justo sin datos", got)


def test_measured_and_simulated_never_meet(tmp_path):
    both = pl.concat(
        [
            margins(),
            margins(is_synthetic=False).with_columns(pl.col("gross_margin_usd", "fob_usd", "lme_contained_usd") * 3),
        ]
    )
    got = written(tmp_path / "r", {"pub_value_chain_margin": both.cast(dict(margins().schema))})
    page = lxml.html.document_fromstring(got["margenes.html"])
    measured, simulated = page.get_element_by_id("waterfall-medido"), page.get_element_by_id("waterfall-simulado")
    assert "3\u00a0000" in measured.text_content() and "3\u00a0000" not in simulated.text_content()
    assert (
        "SIMULADO" in simulated.find(".//svg").text_content()
        and "SIMULADO" not in measured.find(".//svg").text_content()
    )
    assert "Simulado, no medido." in simulated.find(".//figcaption").text_content()
    assert "CONTIENE DATOS SIMULADOS" in got["margenes.html"]


def test_every_simulated_figure_says_so_and_banners_do(found):
    for name, text in found.items():
        page = lxml.html.document_fromstring(text)
        word = "Simulated, not measured." if name.startswith("en/") else "Simulado, no medido."
        for figure in page.xpath("//section[contains(@id, '-simulado')]"):
            assert word in figure.text_content()
        products = pages.WITH_FIGURES[Path(name).stem].products if Path(name).stem in pages.WITH_FIGURES else ()
        if products and all(world()[p]["is_synthetic"].all() for p in products):
            assert ("SIMULATED DATA, NOT MEASURED" if name.startswith("en/") else "DATOS SIMULADOS, NO MEDIDOS") in text


def test_a_banner_names_the_tables_that_are_only_simulated(found):
    told = text_of(found["precio.html"])
    assert (
        "Con filas simuladas solamente: pub_price_fairness." in told
        and "pub_copper_price" not in told.split("Resumen")[0]
    )


def test_measured_data_alone_carry_no_warning(tmp_path):
    got = written(tmp_path / "r", {"pub_copper_price": world()["pub_copper_price"]})
    assert [name for name, text in got.items() if 'class="banner"' in text] == []
    assert "Sin datos" in text_of(got["precio.html"]) and "pub_price_fairness" in text_of(got["precio.html"])
    assert "US$\u00a011\u00a0025" in got["precio.html"]


def test_products_without_rows_give_pages_that_say_so(empty):
    assert len(empty) == 2 * len(pages.NAMES)
    for name in pages.WITH_FIGURES:
        assert "Sin datos. Esta entrega no tiene filas" in text_of(empty[f"{name}.html"])
        assert "No data. This release has no rows" in text_of(empty[f"en/{name}.html"])
    assert text_of(empty["index.html"]).count("sin datos") >= 5 and "Nada cambió" in empty["index.html"]


def test_what_changed_is_told(tmp_path):
    published = {"pub_copper_price": world()["pub_copper_price"]}
    added = pl.DataFrame(
        [("pub_copper_price", "added", f"month={i}", None, None, None, None) for i in range(27)],
        schema=changes.CHANGE_SCHEMA,
        orient="row",
    )
    assert "Todas las filas son nuevas" in written(tmp_path / "first", published, added)["index.html"]
    some = written(tmp_path / "some", published, pl.concat([added.head(2), REVISED]))["index.html"]
    assert rows_of(some)[0] == ["pub_copper_price", "2", "0", "1"] and "Se muestran 1 de 1 valores revisados" in some
    gone = REVISED.with_columns(pl.lit("pub_gone").alias("product"), pl.lit("removed").alias("change"))
    assert ["pub_gone", "0", "1", "0"] in rows_of(written(tmp_path / "gone", published, gone)["index.html"])


def test_why_figures_changed_is_told(tmp_path):
    published = {name: world()[name] for name in ("pub_copper_price", "pub_copper_production")}
    moved = pl.DataFrame(
        [("minem_production", False, dt.date(2024, 12, 31), dt.date(2024, 12, 31), 1, 0, 0, 0)],
        schema=vintages.MOVES,
        orient="row",
    )
    told = written(tmp_path / "moved", published, REVISED, moved)
    assert [
        "minem_production",
        "Medido",
        "31 dic 2024",
        "31 dic 2024",
        "revisados: 1",
        "pub_copper_production",
    ] in rows_of(told["index.html"])
    assert "Why it changed" in text_of(told["en/index.html"])
    same = written(tmp_path / "same", published, REVISED, moved.clear())
    assert "Los archivos son los de la entrega anterior" in text_of(same["index.html"])
    unknown = written(tmp_path / "unknown", published, REVISED)
    assert "Por qué cambió" not in text_of(unknown["index.html"])


def test_the_method_page_tells_the_parameters_in_force(found):
    for name, say in (("metodo.html", ES), ("en/metodo.html", EN)):
        told = text_of(found[name])
        for rule in type(parameters()).model_fields:
            entry = getattr(parameters(), rule)
            assert [say.own(entry.name), entry.shown(say.code), say.own(entry.reason)] in rows_of(found[name])
        assert peru.attribution() in told


def test_the_dictionary_tells_every_column(found):
    for name, say in (("datos.html", ES), ("en/datos.html", EN)):
        told = text_of(found[name])
        for product in PRODUCTS:
            for column in contracts.contract(product).columns:
                assert say.described(column) in told, (name, column.name)


def test_the_metrics_page_tells_of_every_figure_its_unit_denominator_and_sql(found):
    for name, say in (("metricas.html", ES), ("en/metricas.html", EN)):
        told, rows = text_of(found[name]), rows_of(found[name])
        for contract in map(contracts.contract, PRODUCTS):
            assert metrics.figures(contract) and " ".join(metrics.model_sql(contract).split()) in " ".join(told.split())
            for column in metrics.figures(contract):
                start = [column.name, say.described(column), column.unit, metrics.denominator(column) or "–"]
                assert any(row[:4] == start and column.formula in (None, row[4]) for row in rows), column.name
    assert [
        "share_of_fob_frac",
        "Gross margin over fob_usd",
        "1",
        "fob_usd",
        "gross_margin_usd / nullif(fob_usd, 0)",
    ] in rows_of(found["en/metricas.html"])


def test_charts_for_the_pointer_are_scripts_of_the_release_and_hold_what_is_drawn(folder, found):
    held = {path.name for path in (folder / "interactive").iterdir()}
    assert held == {"vega.js"} | {f"{code}-{name}.js" for code in ("es", "en") for name in CHARTED}
    for code in ("es", "en"):
        for name in CHARTED:
            text = (folder / "interactive" / f"{code}-{name}.js").read_text(encoding="utf-8")
            told = json.loads(text.removeprefix("window.antawasi = ").removesuffix(";\n"))
            page = found[f"{'' if code == 'es' else 'en/'}{name}.html"]
            assert set(told["charts"]) == set(re.findall(r'data-chart="([^"]+)"', page)) != set()
            assert told["locale"]["decimal"] == ("," if code == "es" else ".")


# --- periods, drawings, colours -----------------------------------------------------------------


@pytest.mark.parametrize(
    ("as_of", "year"), [(AS_OF, 2025), (dt.date(2025, 12, 31), 2025), (dt.date(2025, 12, 30), 2024)]
)
def test_the_default_year_is_the_last_full_one(as_of, year):
    assert edition.Edition("v", as_of, {}, [], NO_CHANGES, None).year == year


@pytest.mark.parametrize(
    ("rows", "period"),
    [
        ([("2025", "A"), ("2026-Q1", "A")], "2025"),
        ([("2025", "C"), ("2024", "A"), ("2026-Q1", "A")], "2024"),
        ([("2025", "C"), ("2025-Q2", "A"), ("2025-Q1", "A")], "2025-Q2"),
        ([("2025", "C"), ("2026", "D")], "2025"),
        ([("2021-Q2", "C"), ("2021", "C")], "2021"),
        ([], None),
    ],
)
def test_another_period_is_shown_only_where_the_default_shows_nothing(rows, period):
    told = [{"period_code": code, "obs_status_code": status} for code, status in rows]
    assert edition.period_to_show(told, "2025") == period


def test_the_map_has_every_department_and_shades_them():
    assert sorted(peru.departments()) == [f"{i:02d}" for i in range(1, 26)]
    drawn = peru.draw(
        "m", {"03": (0.2, "20 %"), "04": (None, ""), "11": (0.9, "90 %")}, classes=[(0.5, "hasta 50 %"), (float("inf"), "más")],
        label="mapa", hidden="reservado", absent="sin datos", watermark="",
    )  # fmt: skip
    fills = dict(re.findall(r'data-place="(\d\d)" fill="([^"]+)"', drawn))
    assert (fills["03"], fills["11"], fills["04"]) == (charts.CLASSES[0], charts.CLASSES[1], "url(#m-hatch)")
    assert "reservado" in drawn and "sin datos" in drawn and "20 %" in drawn
    for rings in peru.departments().values():
        assert all(ring[0] == ring[-1] for ring in rings)


def test_a_department_is_drawn_as_its_provinces_where_one_of_them_is_shown():
    assert len(peru.provinces()) == 196 and {code[:2] for code in peru.provinces()} == set(peru.departments())
    values = {"0301": (0.2, ""), "0302": (None, ""), "0401": (None, ""), "0402": (None, "")}
    drawn = peru.draw(
        "m", values, classes=[(0.5, "hasta 50 %"), (float("inf"), "más")], label="mapa", hidden="reservado", absent="sin datos",
        watermark="",
    )  # fmt: skip
    fills = dict(re.findall(r'data-place="(\d+)" fill="([^"]+)"', drawn))
    assert (fills["0301"], fills["0302"], fills["04"]) == (charts.CLASSES[0], "url(#m-hatch)", "url(#m-hatch)")
    assert fills["0303"] == fills["05"] and "03" not in fills and not {"0401", "0402"} & set(fills)


@pytest.mark.parametrize("marks", [(True,), (True, False)])
def test_a_page_with_every_province_stays_small_and_prefers_measured_ones(tmp_path, marks):
    provinces = [
        {"place_code": code, "place_name": "PROVINCIA DEL NOMBRE", "place_level_code": "PROVINCE", "month": dt.date(2025, 12, 1),
         "milestone_code": "AUTORIZACION", "eligible_registration_count": 50, "reached_registration_count": 20 + i % 9,
         "share_frac": Decimal(20 + i % 9) / 50, "is_synthetic": mark}
        for mark in marks for i, code in enumerate(peru.provinces())
    ]  # fmt: skip
    progress = pl.concat([world()["pub_formalization_progress"], table("pub_formalization_progress", *provinces)])
    page = written(tmp_path / "site", world() | {"pub_formalization_progress": progress})["provincias.html"]
    assert len(set(re.findall(r'data-place="(\d{4})"', page))) == 196
    assert len(page.encode()) < 100_000
    assert (
        "Páucar del Sara Sara (Ayacucho)" in page
        and "San Antonio de Putina (Puno)" in page
        and "NOMBRE" not in page.upper()
    )
    assert re.findall(r'id="(authorised_provinces-[a-z]+)"', page) == [
        f"authorised_provinces-{'simulado' if marks == (True,) else 'medido'}"
    ]


def test_paths_of_the_map_close_and_keep_their_shape():
    square = [(0, 0), (2, 0), (5, 0), (5, -4), (0, -4), (0, 0)]
    assert peru._path(square) == "M0,0l5 0 0-4-5 0z"


def luminance(colour: str) -> float:
    parts = [int(colour[i : i + 2], 16) / 255 for i in (1, 3, 5)]
    linear = [p / 12.92 if p <= 0.03928 else ((p + 0.055) / 1.055) ** 2.4 for p in parts]
    return 0.2126 * linear[0] + 0.7152 * linear[1] + 0.0722 * linear[2]


def contrast(one: str, other: str) -> float:
    lighter, darker = sorted((luminance(one), luminance(other)), reverse=True)
    return (lighter + 0.05) / (darker + 0.05)


def test_colours_can_be_told_from_what_they_stand_on(found):
    assert round(contrast("#000000", "#ffffff"), 1) == 21
    style = dict(re.findall(r"--(\w+): (#[0-9a-f]{6})", found["index.html"]))
    for text in ("ink", "soft", "copper"):
        for ground in (style["paper"], style["tint"], "#ffffff"):
            assert contrast(style[text], ground) >= 4.5, (text, ground)
    for ground in ("alarm", "measured"):
        assert contrast("#ffffff", style[ground]) >= 4.5
    assert (style["paper"], style["ink"], style["soft"]) == (charts.PAPER, charts.INK, charts.SOFT)
    for colour in charts.SERIES:
        assert contrast(colour, charts.PAPER) >= 4.5, colour
