"""Charts that answer the pointer, for who asks for them: Vega as one script of the release, and the specifications by page.

Scripts, not modules or JSON: a page opened from a disk may load nothing else.
"""

from __future__ import annotations

import functools
import json
from pathlib import Path

from pipelines.publish.site import charts
from pipelines.publish.site.figures import Figure
from pipelines.publish.site.language import Language

FOLDER, BUNDLE = "interactive", "vega.js"
_HEAD = (
    "// Vega, Vega-Lite and Vega-Embed (BSD-3-Clause) with D3 (ISC) and their dependencies, bundled by vl-convert.\n"
)


def write_bundle(folder: Path) -> None:
    """Write the script that draws, below a release's folder."""
    (folder / FOLDER).mkdir(exist_ok=True)
    (folder / FOLDER / BUNDLE).write_text(_bundle(), encoding="utf-8", newline="\n")


def write_charts(folder: Path, say: Language, page: str, figures: list[Figure]) -> None:
    """Write the charts of a page as a script that sets them by their figures' names; none for a page without charts."""
    specs = {figure.name: figure.spec for figure in figures if figure.spec}
    if specs:
        (folder / FOLDER).mkdir(exist_ok=True)
        told = json.dumps({"locale": say.d3, "charts": specs}, ensure_ascii=False, separators=(",", ":"))
        (folder / FOLDER / f"{say.code}-{page}.js").write_text(
            f"window.antawasi = {told};\n", encoding="utf-8", newline="\n"
        )


@functools.cache
def _bundle() -> str:
    import vl_convert

    # In a function of its own: its names stay out of the page's.
    return f"{_HEAD}(() => {{\n{vl_convert.javascript_bundle(vl_version=charts.VEGA_LITE)}\n}})();\n"
