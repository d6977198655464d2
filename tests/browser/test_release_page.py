"""The published page and the run's report in a headless browser, without a network, on a wide and a narrow screen."""

import html
import json
import re
import shutil
import subprocess
from pathlib import Path

import pytest

pytestmark = pytest.mark.browser

#: Evaluated in the page once it has loaded; what it finds becomes the text of one element.
PROBE = """
<script>
const told = [];
addEventListener("error", e => told.push(String(e.message || e.target.src)), true);
addEventListener("load", () => {
  const shown = document.createElement("pre");
  shown.id = "probe";
  shown.textContent = JSON.stringify({
    errors: told,
    loaded: performance.getEntriesByType("resource").map(r => r.name),
    page_width: document.documentElement.scrollWidth,
    screen_width: document.documentElement.clientWidth,
    title: document.title,
    language: document.documentElement.lang,
    text: document.body.innerText,
    drawings: [...document.querySelectorAll("svg[role=img]")].map(s => ({
      label: s.getAttribute("aria-label"), width: s.getBoundingClientRect().width,
      marks: s.querySelectorAll("path,rect,line,circle").length})),
    links: [...document.querySelectorAll("a[href]")].map(a => a.getAttribute("href")),
    unlabelled: [...document.querySelectorAll("img:not([alt]), table:not(:has(th))")].length,
  });
  document.body.append(shown);
});
</script>
"""


def browser() -> str:
    names = ("chromium", "chromium-browser", "google-chrome")
    return next(path for name in names if (path := shutil.which(name)))


def probe(page: Path, folder: Path, width: int) -> dict:
    """What the page is, once a browser has loaded it from `folder` on a screen of this width."""
    copy = folder / f"probed-{width}.html"
    copy.write_text(page.read_text(encoding="utf-8").replace("<head>", f"<head>{PROBE}", 1), encoding="utf-8")
    done = subprocess.run(
        [
            browser(), "--headless", "--no-sandbox", "--disable-gpu", "--disable-dev-shm-usage", "--hide-scrollbars",
            "--host-resolver-rules=MAP * ~NOTFOUND", f"--user-data-dir={folder / 'profile'}",
            f"--window-size={width},900", "--virtual-time-budget=3000", "--dump-dom", copy.as_uri(),
        ],
        capture_output=True,
        text=True,
        timeout=120,
    )  # fmt: skip
    found = re.search(r'<pre id="probe">(.*?)</pre>', done.stdout, re.DOTALL)
    assert found, done.stderr[-2000:]
    return json.loads(html.unescape(found[1]))


@pytest.fixture(scope="module")
def released(house, tmp_path_factory) -> Path:
    folder = tmp_path_factory.mktemp("released")
    shutil.copytree(house / "releases" / "latest", folder / "release")
    (folder / "release").chmod(0o755)
    return folder / "release"


@pytest.mark.parametrize("width", [1280, 500])
def test_the_page_loads_alone_and_fits(released, width):
    seen = probe(released / "index.html", released, width)
    assert seen["errors"] == [] and seen["loaded"] == []
    assert seen["page_width"] <= seen["screen_width"] == width
    assert seen["language"] == "es" and "Antawasi v2025.12.1" in seen["title"] and seen["unlabelled"] == 0


def test_the_page_shows_its_figures_and_numbers(released):
    seen = probe(released / "index.html", released, 1280)
    assert len(seen["drawings"]) == 2
    for drawing in seen["drawings"]:
        assert drawing["label"] and drawing["width"] > 300 and drawing["marks"] > 10
    assert "3,269.5 t" in seen["text"] and "SIMULADOS" not in seen["text"]
    assert "MINEM" in seen["text"] and "CC BY 4.0" in seen["text"]


def test_every_link_of_the_page_leads_to_a_file_of_the_release(released):
    links = [link for link in probe(released / "index.html", released, 1280)["links"] if "://" not in link]
    local = {link for link in links if not link.startswith("#")}
    assert {"pub_copper_production.csv", "pub_copper_price.xlsx", "antawasi_public.duckdb"} <= local
    assert [link for link in sorted(local) if not (released / link).is_file()] == []


def test_the_report_of_the_run_loads_alone(house, tmp_path):
    seen = probe(house / "reports" / "report.html", tmp_path, 1280)
    assert seen["errors"] == [] and seen["loaded"] == [] and seen["page_width"] <= seen["screen_width"]
    assert "minem_production" in seen["text"]
