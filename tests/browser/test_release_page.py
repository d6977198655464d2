"""The release's site and the run's report in a headless browser, without a network, on a wide and a narrow screen."""

import functools
import html
import importlib.resources
import json
import re
import shutil
import subprocess
from collections.abc import Callable
from pathlib import Path

import pytest

from pipelines.publish.site import pages

pytestmark = pytest.mark.browser

PAGES = [f"{folder}{name}.html" for folder in ("", "en/") for name in pages.NAMES]
#: Every rule of axe-core, also the one for WCAG 2.2 that it leaves out unless asked.
AXE_OPTIONS = {"rules": {"target-size": {"enabled": True}}, "resultTypes": ["violations"]}
#: Evaluated in the page once it has loaded, with every fold open; what it finds goes to the page around it.
PROBE = """
<script>
const told = [];
addEventListener("error", e => told.push(String(e.message || e.target.src)), true);
console.error = (...words) => told.push(words.join(" "));
const all = what => [...document.querySelectorAll(what)];
const light = colour => {
  const [r, g, b] = colour.match(/[\\d.]+/g).map(Number).map(v => (v /= 255) <= 0.03928 ? v / 12.92 : ((v + 0.055) / 1.055) ** 2.4);
  return 0.2126 * r + 0.7152 * g + 0.0722 * b;
};
const ground = e => {
  for (; e; e = e.parentElement) {
    const colour = getComputedStyle(e).backgroundColor;
    if (!/, 0\\)$/.test(colour)) return colour;
  }
  return "rgb(255, 255, 255)";
};
const pale = () => {  // texts that do not stand out 4.5 to 1
  const found = [], walk = document.createTreeWalker(document.body, NodeFilter.SHOW_TEXT);
  while (walk.nextNode()) {
    const e = walk.currentNode.parentElement, text = walk.currentNode.textContent.trim();
    if (!text || e.closest("svg, script, style") || !e.checkVisibility()) continue;
    const [a, b] = [light(getComputedStyle(e).color), light(ground(e))].sort((x, y) => y - x);
    if ((a + 0.05) / (b + 0.05) < 4.5) found.push(text.slice(0, 40));
  }
  return found;
};
const reached = () => all("a[href], summary, input, button, [tabindex='0']").filter(e => e.checkVisibility());
const unseen = () => reached().filter(e => {
  e.focus();
  const hidden = e.classList.contains("skip") ? e.getBoundingClientRect().left < 0 : getComputedStyle(e).outlineStyle === "none";
  return document.activeElement !== e || hidden;
}).map(e => e.outerHTML.slice(0, 80));
const unread = () => {  // what the keyboard reaches after something that stands wholly below it
  const boxes = reached().filter(e => !e.classList.contains("skip")).map(e => [e, e.getBoundingClientRect()]);
  return boxes.filter(([e, box], i) => i && box.bottom <= boxes[i - 1][1].top).map(([e]) => e.outerHTML.slice(0, 80));
};
const skipped = () => {  // where the first thing that the keyboard reaches leads to
  const first = document.querySelector("a[href], button, input, summary, [tabindex]");
  first?.click();
  return first?.className + " " + document.activeElement.tagName;
};
const search = words => {
  const input = document.getElementById("palabra");
  if (!input) return null;
  input.value = words;
  input.dispatchEvent(new Event("input", {bubbles: true}));
  return {
    rows: all(".dictionary tbody tr").filter(r => !r.hidden && r.checkVisibility()).map(r => r.cells[0].textContent),
    tables: all(".product").filter(p => !p.hidden).map(p => p.id), said: document.getElementById("hallado").textContent,
  };
};
addEventListener("load", () => {
  all("details").forEach(d => d.open = true);
  const report = {
    loaded: performance.getEntriesByType("resource").map(r => r.name),
    page_width: document.documentElement.scrollWidth,
    screen_width: document.documentElement.clientWidth,
    title: document.title,
    language: document.documentElement.lang,
    text: document.body.innerText,
    drawings: all("svg").map(s => ({
      role: s.getAttribute("role"), label: s.getAttribute("aria-label"), width: s.getBoundingClientRect().width,
      marks: s.querySelectorAll("path,rect,line,circle").length})),
    links: all("a[href]").map(a => a.getAttribute("href")),
    switch: Object.fromEntries(all(".languages a").map(a => [a.hreflang, a.getAttribute("href")])),
    unlabelled: all("img:not([alt]), table:not(:has(th))").length,
    pale: pale(), unseen: unseen(),
    searched: search("MÁRGENES bruto"), nothing: search("zzzz"), everything: search(""),
    unread: unread(), skipped: skipped(), jumping: all("[tabindex]").filter(e => e.tabIndex > 0).length,
    errors: told,
  };
  axe.run(document, AXE_OPTIONS).then(found => {
    report.violations = found.violations.map(v => [v.id, v.help, v.nodes.length, v.nodes[0].html.slice(0, 160), v.nodes[0].failureSummary]);
    report.rules = found.passes.length;
    parent.postMessage(JSON.stringify(report), "*");
  });
});
</script>
"""
#: Presses every button for an interactive chart, points at every mark, and tells what came of it.
PRESS = """
<script>
const told = [];
addEventListener("error", e => told.push(String(e.message || e.target.src)), true);
const all = what => [...document.querySelectorAll(what)];
addEventListener("load", async () => {
  const buttons = all("button[data-chart]:not([hidden])"), scripts = () => all("script[src]").map(script => script.getAttribute("src"));
  const before = scripts();
  buttons.forEach(button => button.click());
  const open = () => all("button[data-chart]").filter(button => button.disabled).length;
  for (let i = 0; i < 200 && open(); i++) await new Promise(done => setTimeout(done, 20));
  const pointed = all(".interactive").map(chart => [...chart.querySelectorAll(".mark-rect path, .mark-line path, .mark-symbol path")].map(mark => {
    for (const kind of ["pointerover", "pointermove"]) mark.dispatchEvent(new PointerEvent(kind, {bubbles: true, clientX: 50, clientY: 50}));
    return document.getElementById("vg-tooltip-element")?.textContent ?? "";
  }).filter(Boolean));
  parent.postMessage(JSON.stringify({
    buttons: buttons.length, before, pointed, errors: told, left: all("button[data-chart]").map(button => button.textContent),
    labels: all(".interactive").map(chart => [chart.getAttribute("role"), chart.getAttribute("aria-label")]),
    marked: all(".interactive .watermark").length, simulated: all(".figure[id$=simulado] .interactive").length,
    page_width: document.documentElement.scrollWidth, screen_width: document.documentElement.clientWidth,
    after: scripts(),
  }), "*");
});
</script>
"""
#: A headless window is never narrower than 500 pixels; a frame is.
FRAME = """<!doctype html><body style="margin:0"><iframe src="{name}" style="border:0;width:{width}px;height:900px"></iframe><script>
addEventListener("message", e => {{
  const shown = document.createElement("pre"); shown.id = "probe"; shown.textContent = e.data; document.body.append(shown);
}});
</script>"""


def browser() -> str:
    names = ("chromium", "chromium-browser", "google-chrome")
    return next(path for name in names if (path := shutil.which(name)))


@functools.cache
def probing() -> str:
    """What is put into a page before everything else: axe-core and the probe."""
    axe = importlib.resources.files("axe_playwright_python").joinpath("axe.min.js").read_text(encoding="utf-8")
    probe_of_page = PROBE.replace("AXE_OPTIONS", json.dumps(AXE_OPTIONS))
    return "<script>" + axe.replace("</script", r"<\/script") + "</script>" + probe_of_page


def probe(page: Path, folder: Path, width: int, probing: Callable[[], str] = probing) -> dict:
    """What the page is, once a browser has loaded it beside itself on a screen of this width; `folder` is the browser's own."""
    copy, frame = page.with_name(f"probed-{page.name}"), page.with_name(f"frame-{page.name}")
    copy.write_text(page.read_text(encoding="utf-8").replace("<head>", f"<head>{probing()}", 1), encoding="utf-8")
    frame.write_text(FRAME.format(name=copy.name, width=width), encoding="utf-8")
    done = subprocess.run(
        [
            browser(), "--headless", "--no-sandbox", "--disable-gpu", "--disable-dev-shm-usage", "--hide-scrollbars",
            "--host-resolver-rules=MAP * ~NOTFOUND", f"--user-data-dir={folder / 'profile'}",
            "--window-size=1300,900", "--virtual-time-budget=3000", "--dump-dom", frame.as_uri(),
        ],
        capture_output=True,
        text=True,
        timeout=120,
    )  # fmt: skip
    copy.unlink()
    frame.unlink()
    found = re.search(r'<pre id="probe">(.*?)</pre>', done.stdout, re.DOTALL)
    assert found, done.stderr[-2000:]
    return json.loads(html.unescape(found[1]))


@pytest.fixture(scope="module")
def released(house, tmp_path_factory) -> Path:
    folder = tmp_path_factory.mktemp("released") / "release"
    shutil.copytree(house / "releases" / "latest", folder)
    for path in (folder, folder / "en"):
        path.chmod(0o755)
    return folder


@pytest.fixture(scope="module")
def seen(released, tmp_path_factory):
    """The probe of a page, made once."""
    own, known = tmp_path_factory.mktemp("browser"), {}

    def look(page: str, width: int = 1200) -> dict:
        if (page, width) not in known:
            known[page, width] = probe(released / page, own, width)
        return known[page, width]

    return look


@pytest.mark.parametrize("width", [1200, 360])
@pytest.mark.parametrize("page", PAGES)
def test_a_page_loads_alone_and_fits(seen, page, width):
    found = seen(page, width)
    assert found["errors"] == [] and found["loaded"] == []
    assert found["page_width"] <= found["screen_width"] == width
    assert found["language"] == ("en" if page.startswith("en/") else "es") and "Antawasi v2" in found["title"]
    assert found["unlabelled"] == 0 and found["pale"] == []
    for drawing in found["drawings"]:
        assert drawing["role"] == "img" and drawing["label"] and drawing["width"] > 250 and drawing["marks"] > 3


@pytest.mark.parametrize("width", [1200, 360])
@pytest.mark.parametrize("page", PAGES)
def test_axe_finds_no_violation(seen, page, width):
    found = seen(page, width)
    assert found["violations"] == [] and found["rules"] > 20


@pytest.mark.parametrize("width", [1200, 360])
@pytest.mark.parametrize("page", PAGES)
def test_the_keyboard_goes_the_way_of_the_eye_and_can_skip_the_menu(seen, page, width):
    found = seen(page, width)
    assert found["unseen"] == [] and found["unread"] == [] and found["jumping"] == 0
    assert found["skipped"] == "skip MAIN"


@pytest.mark.parametrize("page", PAGES)
def test_every_link_leads_to_a_file_and_the_switch_keeps_the_page(seen, released, page):
    found, here = seen(page), (released / page).parent
    local = {link.partition("#")[0] for link in found["links"] if "://" not in link} - {""}
    assert [link for link in sorted(local) if not (here / link).is_file()] == []
    for language, link in found["switch"].items():
        target = here / link
        assert target.name == Path(page).name and f'<html lang="{language}">' in target.read_text(encoding="utf-8")
    assert set(found["switch"]) == {"es", "en"}


def test_pages_show_their_figures_and_numbers(seen):
    told = {
        page: seen(page)["text"].replace("\u00a0", " ")
        for page in ("index.html", "invisible.html", "en/invisible.html")
    }
    assert (
        "5 263 t" in told["index.html"]
        and "5 263,2 t" in told["invisible.html"]
        and "5,263.2 t" in told["en/invisible.html"]
    )
    assert "DATOS SIMULADOS" in told["index.html"].upper()
    drawn = {name: len(seen(f"{name}.html")["drawings"]) for name in pages.WITH_FIGURES}
    assert drawn["invisible"] >= 3 and drawn["precio"] >= 1


# Provinces are maps, and of traceability the sample's release shows nothing.
@pytest.mark.parametrize(
    "page",
    [page for page in PAGES if Path(page).stem in {*pages.WITH_FIGURES} - {"provincias", "trazabilidad"}],
)
def test_charts_are_interactive_once_a_button_is_pressed(released, tmp_path, page):
    found = probe(released / page, tmp_path, 360, lambda: PRESS)
    assert found["before"] == [] and found["errors"] == [] and found["left"] == []
    assert found["buttons"] == len(found["labels"]) > 0 and all(
        role == "img" and label for role, label in found["labels"]
    )
    here = (released / page).parent
    assert {(here / name).resolve().relative_to(released).parent.name for name in found["after"]} == {"interactive"}
    assert len(found["after"]) == 2
    assert all(texts and not any("undefined" in text or "null" in text for text in texts) for texts in found["pointed"])
    if page == "margenes.html":
        assert "FOB · 100" in found["pointed"][0] and "Perú · Operador minero · 34,4" in found["pointed"][1]
    assert found["marked"] == found["simulated"] and found["page_width"] <= found["screen_width"]


def test_a_chart_that_cannot_be_loaded_says_so_and_stays(released, tmp_path):
    copy = shutil.copytree(released, tmp_path / "copy")
    (copy / "interactive").chmod(0o755)
    (copy / "interactive" / "vega.js").unlink()
    found = probe(copy / "margenes.html", tmp_path, 1200, lambda: PRESS)
    assert found["labels"] == [] and set(found["left"]) == {"No se pudo cargar; la figura y su tabla siguen aquí"}


@pytest.mark.parametrize("page", ["datos.html", "en/datos.html"])
def test_the_search_finds_tables_columns_and_descriptions(seen, page):
    found = seen(page)
    if page == "datos.html":  # capitals and order do not matter, and words may stand in table and column apart
        assert {"gross_margin_usd", "gross_margin_usd_per_t"} <= set(found["searched"]["rows"])
        assert found["searched"]["tables"] == ["pub_value_chain_margin"]
        assert found["searched"]["said"].endswith(f" {len(found['searched']['rows'])}")
    assert found["nothing"]["rows"] == [] == found["nothing"]["tables"]
    assert len(found["everything"]["tables"]) >= 2 and found["everything"]["said"] == ""
    assert {"pub_copper_production.csv", "pub_copper_price.xlsx", "antawasi_public.duckdb"} <= {
        Path(link).name for link in found["links"]
    }


def test_the_report_of_the_run_loads_alone(house, tmp_path):
    copy = shutil.copy(house / "reports" / "report.html", tmp_path)
    found = probe(Path(copy), tmp_path, 1280)
    assert found["errors"] == [] and found["loaded"] == [] and found["page_width"] <= found["screen_width"]
    assert found["violations"] == [] and found["unseen"] == []
    assert "minem_production" in found["text"]
