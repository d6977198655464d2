"""A release: an immutable folder `releases/vYYYY.MM.N` made from the analysts' copy, whole or not at all.

Inputs are the published tables, the previous release and an as-of date, never the clock: the same inputs
give the same bytes.
"""

from __future__ import annotations

import dataclasses
import datetime as dt
import hashlib
import os
import re
from collections import Counter
from collections.abc import Callable, Iterable
from pathlib import Path
from typing import Any

import polars as pl

from pipelines import contracts, files, landing, quality, vault, warehouse
from pipelines.contracts import TableContract
from pipelines.disclosure import gate, scan
from pipelines.errors import AntawasiError, PublishRefused
from pipelines.publish import changes, extracts, metrics, past, products, site, vintages
from pipelines.settings import Settings
from pipelines.sources import get_source
from pipelines.warehouse import connect

_VERSION = re.compile(r"v(\d{4})\.(\d{2})\.(\d+)")
LATEST = "latest"
#: Licence of excerpts that may be tried with and not published.
DEMONSTRATION_ONLY = "for demonstration and tests only"
_MADE_FROM, _FILES = "made_from.json", "files.parquet"
_DISCLOSURE = Path(gate.__file__).parent
DATA_LICENCE = {
    "name": "CC-BY-4.0",
    "title": "Creative Commons Attribution 4.0",
    "path": "https://creativecommons.org/licenses/by/4.0/",
}
_FIELD_TYPES = {"VARCHAR": "string", "DATE": "date", "BOOLEAN": "boolean", "INTEGER": "integer", "BIGINT": "integer"}


@dataclasses.dataclass(frozen=True)
class Release:
    """A release as it stands on disk. `is_new` is False when nothing had changed since the previous one."""

    version: str
    path: Path
    is_new: bool
    rows: dict[str, int]


def versions(releases: Path) -> list[str]:
    """Versions on disk, oldest first."""
    found = (
        [p.name for p in releases.glob("v*") if p.is_dir() and _VERSION.fullmatch(p.name)] if releases.exists() else []
    )
    return sorted(found, key=_order)


def _order(version: str) -> tuple[int, ...]:
    match = _VERSION.fullmatch(version)
    return tuple(int(g) for g in match.groups()) if match else ()


def read_published(analysts_db: Path, tables: list[tuple[str, str]] | None = None) -> dict[str, pl.DataFrame]:
    """Every table of schema `publish`, past the gate, as polars frames in the contract's types and key order.

    Args:
        tables: (schema, table) pairs to publish; all of schema `publish` by default.
    """
    published: dict[str, pl.DataFrame] = {}
    with connect(analysts_db, read_only=True) as connection:
        if tables is None:
            listed = connection.execute(
                "SELECT table_schema, table_name FROM information_schema.tables WHERE table_schema = ? ORDER BY table_name",
                [gate.PUBLISH_SCHEMA],
            ).fetchall()
            tables = [(schema, name) for schema, name in listed]
        for schema, name in tables:
            contract = gate.admit(schema, name)
            order = ", ".join(f'"{k}" NULLS FIRST' for k in contract.key)
            cursor = connection.execute(f'SELECT * FROM "{schema}"."{name}" ORDER BY {order}')
            frame = pl.from_arrow(cursor.to_arrow_table())
            assert isinstance(frame, pl.DataFrame)
            gate.inspect(contract, frame)
            published[name] = frame.cast(dict(contract.schema(lineage=False)))
    if not published:
        raise PublishRefused("The warehouse has no published table. What to do: run `antawasi build` first.")
    return published


def newest_source_date(analysts_db: Path, names: Iterable[str]) -> dt.date:
    """The newest date that any file of the sources of these products carries: the as-of date when nobody states one."""
    sources = sorted({source for name in names for source in contracts.contract(name).published_from})
    with connect(analysts_db, read_only=True) as connection:
        ((newest,),) = connection.execute(
            "SELECT max(source_as_of) FROM meta.landing_files WHERE status = 'accepted' AND list_contains(?, source)",
            [sources],
        ).fetchall()
    if newest is None:
        raise PublishRefused(
            "No file of the published sources carries a date. What to do: state the release's date (--as-of)."
        )
    return newest


def content_digest(published: dict[str, pl.DataFrame]) -> str:
    """Names the tables' content, their contracts, the models' SQL that the site shows, and the code that writes them."""
    digest = hashlib.sha256()
    for name, frame in sorted(published.items()):
        digest.update(contracts.contract(name).path.read_bytes())
        digest.update(metrics.model_sql(contracts.contract(name)).encode())
        digest.update(frame.write_csv().encode())
    own = (path for path in Path(__file__).parent.rglob("*.*") if path.is_file() and path.suffix != ".pyc")
    for code in sorted([*own, *_DISCLOSURE.glob("*.*")]):
        digest.update(code.read_bytes())
    return digest.hexdigest()


def made_from(settings: Settings) -> str:
    """Names what a release is made of without making it: the analysts' copy and the code that publishes."""
    return hashlib.sha256(f"{warehouse.analysts_digest(settings)} {content_digest({})}".encode()).hexdigest()


def is_due(settings: Settings) -> bool:
    """Whether a release may differ from the last one: another copy for analysts, other code, or no release at all."""
    known = versions(settings.releases)
    if not known or not is_latest(settings.releases, known[-1]):
        return True
    kept = settings.ledger / known[-1] / _MADE_FROM
    return not kept.exists() or files.read_json(kept)["made_from"] != made_from(settings)


def is_latest(releases: Path, version: str) -> bool:
    """Whether the link `latest` points at this release."""
    return (releases / LATEST).resolve() == (releases / version).resolve()


def publish(settings: Settings, as_of: dt.date | None = None, tell: Callable[[str], None] = lambda _: None) -> Release:
    """Publish the analysts' copy. Nothing happens when nothing changed since the latest release.

    Args:
        tell: is told each product whose cells are being protected.

    Raises:
        PublishRefused: a table did not pass the gate, an attack on a product succeeded, or `as_of` is of a month before the
            latest release.
        AntawasiError: there is no analysts' copy yet, or a product's cells cannot be protected.
    """
    if not settings.analysts_db.exists():
        raise AntawasiError("There is no warehouse yet. What to do: run `antawasi build` first.")
    with files.lock(settings.home / "locks" / "releases.lock", "The release folder", wait_s=60):
        vault.refuse_half_rotated(settings.home)
        published = read_published(settings.analysts_db)
        known = versions(settings.releases)
        previous = settings.releases / known[-1] if known else None
        if previous is not None:
            verify(previous)
        day = as_of or newest_source_date(settings.analysts_db, [*published, *products.names()])
        if previous is not None and as_of is None:
            day = max(day, dt.date(*_order(previous.name)[:2], 1))
        version = _next_version(known, day)
        left = past.read(settings.ledger, previous.name if previous else None)
        disclosure = products.disclose(settings.analysts_db, day, version, left, _withheld(settings), tell)
        # A house without a product's data publishes none of it, rather than a table that says that there is nothing.
        published |= {name: _passed(name, frame) for name, frame in disclosure.tables.items() if frame.height}
        scan.refuse_persons(published, settings.vault)
        digest = content_digest(published)
        rows = {name: frame.height for name, frame in published.items()}
        made = {"made_from": made_from(settings)}
        if (
            previous is not None
            and files.read_json(previous / "datapackage.json")["antawasi"]["content_digest"] == digest
        ):
            if not is_latest(settings.releases, previous.name):  # killed between the rename and the link
                files.swap_symlink(settings.releases / LATEST, previous.name)
            files.write_json(settings.ledger / previous.name / _MADE_FROM, made, mode=0o600)
            return Release(previous.name, previous, False, rows)
        behind, moved = vintages.held(settings.analysts_db), None
        if previous is not None and (settings.ledger / previous.name / _FILES).exists():
            moved = vintages.moves(pl.read_parquet(settings.ledger / previous.name / _FILES), behind)
        past.write(settings.ledger, version, disclosure.past)
        behind.write_parquet(settings.ledger / version / _FILES)
        files.write_json(settings.ledger / version / _MADE_FROM, made, mode=0o600)
        target = settings.releases / version
        with files.atomic_dir(target) as tmp:
            _fill(tmp, version, day, published, digest, previous, moved, settings)
            extracts.verify(published, tmp)
            for path in tmp.rglob("*"):
                os.chmod(path, 0o555 if path.is_dir() else 0o444)
        files.swap_symlink(settings.releases / LATEST, version)
        return Release(version, target, True, rows)


def _withheld(settings: Settings) -> frozenset[str]:
    """Sources of which a measured file is here for demonstration alone, as its origin card says."""
    cards = landing.cards(settings.landing)
    return frozenset(c.source for c in cards if not c.is_synthetic and c.licence == DEMONSTRATION_ONLY)


def _passed(name: str, frame: pl.DataFrame) -> pl.DataFrame:
    """A table made under disclosure control, past the gate and its contract's checks like those that dbt makes."""
    contract = gate.admit(gate.PUBLISH_SCHEMA, name)
    gate.inspect(contract, frame)
    result = quality.check_frame(contract, frame, name)
    if not result.passed:
        raise PublishRefused(
            f"{name} does not keep its contract: {'; '.join(result.failures)}. What to do: mend the model or the contract."
        )
    return frame


def verify(release: Path) -> None:
    """A release whose files no longer match its checksums must not be built upon.

    Raises:
        PublishRefused: a file of the release is missing or was changed.
    """
    sums = release / "SHA256SUMS"
    for line in sums.read_text(encoding="utf-8").splitlines() if sums.exists() else [f"missing  {sums.name}"]:
        digest, name = line.split("  ", 1)
        path = release / name
        if not path.is_file() or files.sha256_file(path) != digest:
            raise PublishRefused(
                f"{path}: the file is missing or was changed after its release. "
                "What to do: restore the release from a backup; releases are immutable."
            )


def _next_version(known: list[str], day: dt.date) -> str:
    if known and (day.year, day.month) < _order(known[-1])[:2]:
        raise PublishRefused(
            f"The as-of date {day} is before the latest release {known[-1]}. What to do: give a date of its month or later."
        )
    month = [_order(v)[2] for v in known if _order(v)[:2] == (day.year, day.month)]
    return f"v{day.year:04d}.{day.month:02d}.{max(month, default=0) + 1}"


def _fill(
    tmp: Path,
    version: str,
    day: dt.date,
    published: dict[str, pl.DataFrame],
    digest: str,
    previous: Path | None,
    moved: pl.DataFrame | None,
    settings: Settings,
) -> None:
    attributions = _attributions(settings, published)
    differences = []
    for name, frame in published.items():
        contract = contracts.contract(name)
        before = previous / f"{name}.parquet" if previous else None
        was = pl.read_parquet(before) if before is not None and before.exists() else None
        difference = changes.compare(contract, was, frame)
        differences.append(vintages.reasoned(contract, difference, moved) if previous else difference)
        extracts.write_csv(frame, contract, tmp / f"{name}.csv")
        extracts.write_parquet(frame, tmp / f"{name}.parquet")
        extracts.write_xlsx(
            frame, contract, tmp / f"{name}.xlsx",
            readme=_readme(contract, version, day, frame), notes=_notes(contract, attributions), as_of=day,
        )  # fmt: skip
    extracts.write_public_db(published, tmp / "antawasi_public.duckdb")
    changed = pl.concat(differences)
    extracts.harmless(changed).write_csv(tmp / "changes.csv", include_bom=True)
    (tmp / "CHANGELOG.md").write_text(_changelog(version, day, published, changed, previous, moved), encoding="utf-8")
    (tmp / "LICENSE.txt").write_text(_LICENSE, encoding="utf-8")
    (tmp / "ATTRIBUTIONS.md").write_text(
        "# Fuentes / Sources\n\n" + "".join(f"- {a}\n" for a in attributions), encoding="utf-8"
    )
    site.write(tmp, version, day, published, attributions, changed, moved)
    files.write_json(tmp / "datapackage.json", _datapackage(tmp, version, day, published, digest, attributions))
    listed = sorted(p for p in tmp.rglob("*") if p.is_file())
    (tmp / "SHA256SUMS").write_text(
        "".join(f"{files.sha256_file(p)}  {p.relative_to(tmp).as_posix()}\n" for p in listed), encoding="utf-8"
    )


def _attributions(settings: Settings, published: dict[str, pl.DataFrame]) -> list[str]:
    """Attribution lines of the sources that published rows come from, as their origin cards state them.

    A simulated file is named only where a table that its source feeds has simulated rows, and a measured one likewise.
    """
    used = {
        (slug, mark)
        for name, frame in published.items()
        for slug in contracts.contract(name).published_from
        for mark in frame["is_synthetic"].unique()
    }
    return sorted(
        {
            f"{get_source(c.source).title_es}: {c.attribution}"
            for c in landing.cards(settings.landing)
            if (c.source, c.is_synthetic) in used
        }
    )


def _is_synthetic(frame: pl.DataFrame) -> bool:
    return bool(frame["is_synthetic"].any())


def _readme(contract: TableContract, version: str, day: dt.date, frame: pl.DataFrame) -> list[str]:
    lines = [
        f"Antawasi · {contract.name} · {version}",
        contract.description_es,
        contract.description,
        f"Fecha de corte / as of: {day.isoformat()}",
        f"Filas / rows: {frame.height}",
        f"Grano / grain: {contract.grain}",
        "Hojas: LEEME (esta), datos, diccionario (columnas, unidades, códigos), notas (límites y fuentes).",
        "Licencia de los datos: CC BY 4.0, con las atribuciones de la hoja notas.",
    ]
    if extracts.STATUS in frame.columns:
        lines.append(
            f"{extracts.HIDDEN}: dato reservado; no es cero ni falta / hidden figure, neither zero nor missing."
        )
    return [extracts.SYNTHETIC_NOTE, *lines] if _is_synthetic(frame) else lines


def _notes(contract: TableContract, attributions: list[str]) -> list[str]:
    limits = [told for told in (contract.limitations_es, contract.limitations) if told]
    return ["Límites / limitations:", *limits, "", "Fuentes / sources:", *attributions]


_CHANGES = {
    "added": "filas nuevas / added",
    "removed": "filas retiradas / removed",
    "revised": "valores revisados / revised",
}


def _changelog(
    version: str,
    day: dt.date,
    published: dict[str, pl.DataFrame],
    changed: pl.DataFrame,
    previous: Path | None,
    moved: pl.DataFrame | None,
) -> str:
    lines = [f"## {version} ({day.isoformat()})", ""]
    for name, frame in published.items():
        counts = Counter(changed.filter(pl.col("product") == name)["change"].to_list())
        told = ", ".join(f"{counts[change]} {words}" for change, words in _CHANGES.items() if counts[change])
        lines.append(f"- `{name}`: {frame.height} filas / rows; {told or 'sin cambios / unchanged'}.")
    if moved is not None:
        lines += ["", "Fuentes / sources:", ""] + [f"- {told}" for told in _moves(moved)]
    older = ""
    if previous is not None and (previous / "CHANGELOG.md").exists():
        older = (previous / "CHANGELOG.md").read_text(encoding="utf-8").split("\n", 2)[2]
    return "# Cambios / Changelog\n\n" + "\n".join(lines) + "\n" + ("\n" + older if older else "")


_KINDS = {
    "revised": "revisados / revised",
    "late": "tardíos / late",
    "new": "nuevos / new",
    "withdrawn": "retirados / withdrawn",
}


def _moves(moved: pl.DataFrame) -> list[str]:
    """Lines of the history on the sources whose files changed; one that says so where none did."""
    lines = [
        f"`{row['source']}` ({'simulado / simulated' if row['is_synthetic'] else 'medido / measured'}): "
        f"{row['as_of_before'] or '–'} → {row['as_of_after'] or '–'}; "
        + ", ".join(f"{row[f'{kind}_files']} {words}" for kind, words in _KINDS.items() if row[f"{kind}_files"])
        for row in moved.iter_rows(named=True)
    ]
    return lines or [
        "sin archivos nuevos; cambiaron las reglas, el programa o la fecha / no new files; rules, program or date changed"
    ]


def _datapackage(
    tmp: Path, version: str, day: dt.date, published: dict[str, pl.DataFrame], digest: str, attributions: list[str]
) -> dict[str, Any]:
    resources = []
    for name in published:
        contract = contracts.contract(name)
        for suffix, media in (("csv", "text/csv"), ("parquet", "application/vnd.apache.parquet"),
                              ("xlsx", "application/vnd.openxmlformats-officedocument.spreadsheetml.sheet")):  # fmt: skip
            path = tmp / f"{name}.{suffix}"
            resource: dict[str, Any] = {
                "name": name if suffix == "csv" else f"{name}_{suffix}",
                "title": contract.description_es,
                "description": contract.description,
                "path": path.name,
                "format": suffix,
                "mediatype": media,
                "hash": f"sha256:{files.sha256_file(path)}",
            }
            if suffix == "csv":  # frictionless counts no bytes in binary tables and calls any stated size wrong
                resource["bytes"] = path.stat().st_size
            if suffix == "csv":
                resource |= {"type": "table", "encoding": "utf-8-sig", "schema": _table_schema(contract)}
            else:  # they carry their own types; a reader that guesses them from rows would take 02 for a number
                resource["type"] = "file"
            resources.append(resource)
    return {
        "$schema": "https://datapackage.org/profiles/2.0/datapackage.json",
        "name": "antawasi",
        "id": f"antawasi-{version}",
        "title": "Antawasi: cobre artesanal y de pequeña escala del Perú",
        "description": "Extractos publicados de Antawasi / published extracts of Antawasi.",
        "version": version.removeprefix("v"),
        "created": f"{day.isoformat()}T00:00:00Z",
        "licenses": [DATA_LICENCE],
        "sources": [{"title": a} for a in attributions],
        "resources": resources,
        "antawasi": {"content_digest": digest, "as_of": day.isoformat()},
    }


def _table_schema(contract: TableContract) -> dict[str, Any]:
    fields = []
    for c in contract.columns:
        field: dict[str, Any] = {
            "name": c.name,
            "type": _FIELD_TYPES.get(c.physical_type, "number"),
            "title": c.title_es,
            "description": c.description,
        }
        if c.physical_type == "BOOLEAN":
            field |= {"trueValues": ["true"], "falseValues": ["false"]}
        limits: dict[str, Any] = {}
        if c.required:
            limits["required"] = True
        if c.codes is not None:
            limits["enum"] = list(c.codes)
        if c.pattern:
            limits["pattern"] = c.pattern
        if c.minimum is not None:
            limits["minimum"] = c.minimum
        if limits:
            field["constraints"] = limits
        fields.append(field)
    schema = {"fields": fields, "primaryKey": list(contract.key)}
    return schema | ({"missingValues": ["", extracts.HIDDEN]} if extracts.STATUS in contract.column_names else {})


_LICENSE = """Datos / data: Creative Commons Attribution 4.0 International (CC BY 4.0)
https://creativecommons.org/licenses/by/4.0/legalcode

Cite: Antawasi, the release's version, and the sources in ATTRIBUTIONS.md.
Cítese: Antawasi, la versión de la entrega y las fuentes de ATTRIBUTIONS.md.

The sources' own licences continue to apply to what is theirs.
Las licencias propias de cada fuente siguen rigiendo lo que es suyo.
"""
