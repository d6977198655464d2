"""Writes the site into a release's folder."""

from __future__ import annotations

import datetime as dt
import functools
from pathlib import Path

import jinja2
import polars as pl

from pipelines.publish.site import interactive, pages
from pipelines.publish.site.edition import Edition
from pipelines.publish.site.language import languages


def write(
    folder: Path, version: str, as_of: dt.date, published: dict[str, pl.DataFrame], attributions: list[str], changes: pl.DataFrame,
    moved: pl.DataFrame | None,
) -> None:  # fmt: skip
    """Write every page in every language below `folder`, the release's folder: Spanish at its root, others in a folder each.

    The pages link to the release's other files and need neither a script (but for the search) nor a network. The same
    arguments give the same bytes.

    Args:
        published: the release's tables by name, in their contracts' types and key order.
        attributions: the lines that the sources ask for.
        changes: differences from the last release (`changes.CHANGE_SCHEMA`).
        moved: sources whose files changed since then (`vintages.MOVES`); None where that is not known.

    Raises:
        AntawasiError: a language's texts lack a key.
    """
    edition = Edition(version, as_of, published, attributions, changes, moved)
    for say in languages():
        target = folder / say.folder
        target.mkdir(exist_ok=True)
        for name, context in pages.contexts(say, edition).items():
            template = _environment().get_template(
                "figures.html.j2" if name in pages.WITH_FIGURES else f"{name}.html.j2"
            )
            page = template.render(
                say=say, edition=edition, page=name, pages=pages.NAMES, languages=languages(), **context
            )
            (target / f"{name}.html").write_text(page, encoding="utf-8", newline="\n")
            if name in pages.WITH_FIGURES:
                interactive.write_charts(folder, say, name, context["figures"])
    interactive.write_bundle(folder)


@functools.lru_cache(maxsize=1)
def _environment() -> jinja2.Environment:
    return jinja2.Environment(
        loader=jinja2.FileSystemLoader(Path(__file__).parent / "templates"),
        autoescape=True,
        undefined=jinja2.StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
