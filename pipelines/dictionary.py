"""The data dictionary of docs/, generated from the contracts, in Spanish and English."""

from __future__ import annotations

from pathlib import Path

from pipelines import contracts
from pipelines.contracts import LINEAGE, TableContract
from pipelines.settings import PROJECT_ROOT

_WORDS = {
    "es": {
        "title": "Diccionario de datos",
        "made": "Generado desde data_contracts/ con `antawasi contracts generate`. No editar.",
        "layers": {"raw": "Tablas crudas (lago)", "marts": "Marts (almacén)", "published": "Productos publicados"},
        "heads": "| columna | título | tipo | unidad | clase | significado | reglas |",
        "grain": "Grano",
        "limits": "Límites",
        "lineage": "Todas las tablas crudas llevan además estas columnas de linaje:",
    },
    "en": {
        "title": "Data dictionary",
        "made": "Generated from data_contracts/ by `antawasi contracts generate`. Do not edit.",
        "layers": {"raw": "Raw tables (lake)", "marts": "Marts (warehouse)", "published": "Published products"},
        "heads": "| column | Spanish title | type | unit | class | meaning | rules |",
        "grain": "Grain",
        "limits": "Limits",
        "lineage": "Every raw table also carries these lineage columns:",
    },
}


def rendered() -> dict[Path, str]:
    """Both dictionaries by path."""
    return {PROJECT_ROOT / "docs" / language / "dictionary.md": _render(language) for language in _WORDS}


def write() -> list[Path]:
    changed = drifted()
    for path in changed:
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(rendered()[path], encoding="utf-8")
    return changed


def drifted() -> list[Path]:
    return [p for p, text in rendered().items() if not p.exists() or p.read_text(encoding="utf-8") != text]


def _render(language: str) -> str:
    words, spanish = _WORDS[language], language == "es"
    lines = [f"# {words['title']}", "", words["made"], ""]
    for layer in ("published", "marts", "raw"):
        lines += [f"## {words['layers'][layer]}", ""]
        for table in contracts.all_contracts().values():
            if table.layer == layer:
                lines += _table(table, words, spanish)
    lines += [words["lineage"], "", "| | | |", "|---|---|---|"]
    lines += [f"| `{name}` | {kind} | {es if spanish else en} |" for name, (kind, en, es) in LINEAGE.items()]
    return "\n".join(lines) + "\n"


def _table(table: TableContract, words: dict, spanish: bool) -> list[str]:
    lines = [f"### `{table.name}` v{table.version}", "", table.description_es if spanish else table.description, ""]
    titles = {c.name: c.title_es for c in table.columns}
    named = " × ".join(titles[name] for name in table.key if name != "is_synthetic") or "fila del archivo"
    lines += [f"{words['grain']}: {named if spanish else table.grain}.", ""]
    if table.limitations:
        lines += [f"{words['limits']}: {table.limitations_es if spanish else table.limitations}", ""]
    lines += [words["heads"], "|---|---|---|---|---|---|---|"]
    for c in table.columns:
        rules = [f"clave {c.key_position}" if spanish else f"key {c.key_position}"] if c.key_position else []
        rules += (
            [f"{'título en el archivo' if spanish else 'title in the file'} `{c.file_column}`"] if c.file_column else []
        )
        rules += [f"{'desde la versión' if spanish else 'since version'} {c.added_in}"] if c.added_in else []
        rules += [f"`{c.pattern}`".replace("|", "\\|")] if c.pattern else []
        rules += [f"≥ {c.minimum:g}"] if c.minimum is not None else []
        rules += [f"≤ {c.maximum:g}"] if c.maximum is not None else []
        rules += [", ".join(c.codes)] if c.codes else []
        meaning = c.description_es if spanish else c.description
        lines.append(
            f"| `{c.name}` | {c.title_es} | {c.physical_type} | {c.unit or ''} | {c.classification} | {meaning} | {'; '.join(rules)} |"
        )
    return [*lines, ""]
