"""What a person reads after a run: the terminal summary, the status table and the report page, from the same facts."""

from __future__ import annotations

import dataclasses
import datetime as dt
import shutil
import sys
from pathlib import Path
from typing import TYPE_CHECKING

from rich.console import Console
from rich.markup import escape
from rich.table import Table

from pipelines import contracts, files, lake, quality, warehouse
from pipelines.quality import CheckResult
from pipelines.settings import Settings
from pipelines.sources import Source, all_sources

if TYPE_CHECKING:
    from collections.abc import Sequence

    from pipelines.lake import Receipt
    from pipelines.reporting import Reporter
    from pipelines.spark.compare import Compared

QUERIES = (
    (
        "Cobre de pequeños productores por año / small producers' copper by year",
        "SELECT year(month) AS year, sum(fine_copper_t) AS fine_copper_t FROM publish.pub_copper_production "
        "WHERE stratum_code = 'PPM' AND stage_code = 'CONCENTRACION' GROUP BY 1 ORDER BY 1",
    ),
    (
        "Precio del cobre, últimos meses / copper price, last months",
        "SELECT month, copper_usd_per_t, copper_usd_cents_per_lb FROM publish.pub_copper_price ORDER BY month DESC LIMIT 6",
    ),
    (
        "Archivos recibidos y filas rechazadas / files received and rows rejected",
        "SELECT source, count(*) AS files, sum(rows_in) AS rows_in, sum(rows_rejected) AS rejected "
        "FROM meta.landing_files GROUP BY 1 ORDER BY 1",
    ),
)


@dataclasses.dataclass(frozen=True)
class SourceStatus:
    """One source as it stands. `is_fresh` is None where no cadence is expected or no file came yet."""

    source: Source
    files: int
    refused: int
    last_file: str
    source_as_of: dt.date | None
    age_days: int | None
    is_fresh: bool | None
    rows_in: int
    accepted: int
    rejected: int
    out_of_scope: int
    kinds: str


def source_statuses(settings: Settings, today: dt.date | None = None) -> list[SourceStatus]:
    """Status of every source, from the receipts alone."""
    receipts = lake.receipts(settings.lake)
    return [
        _source_status(s, [r for r in receipts if r.source == s.slug], today or dt.date.today())
        for s in all_sources().values()
    ]


def _source_status(source: Source, receipts: list[Receipt], today: dt.date) -> SourceStatus:
    from pipelines.freshness import freshness

    accepted = [r for r in receipts if r.status == "accepted"]
    newest, age, is_fresh = freshness(source, accepted, today)
    kinds = {r.is_synthetic for r in accepted}
    return SourceStatus(
        source=source,
        files=len(accepted),
        refused=len(receipts) - len(accepted),
        last_file=max(accepted, key=lambda r: r.landed_at).filename if accepted else "",
        source_as_of=newest,
        age_days=age,
        is_fresh=is_fresh,
        rows_in=sum(sum(r.rows_in.values()) for r in accepted),
        accepted=sum(sum(r.accepted.values()) for r in accepted),
        rejected=sum(sum(r.rejected.values()) for r in accepted),
        out_of_scope=sum(r.out_of_scope for r in accepted),
        kinds=" + ".join(sorted("simulated" if k else "measured" for k in kinds)),
    )


def print_status(out: Console, settings: Settings) -> None:
    """The table behind `antawasi status`."""
    table = Table(
        title="Sources", caption="freshness: age of the date that the source itself carries, against twice its cadence"
    )
    for head in ("source", "files", "refused", "last file", "source as of", "freshness"):
        table.add_column(head, overflow="fold", justify="right" if head in ("files", "refused") else "left")
    for head in ("rows", "rejected", "out of scope"):
        table.add_column(head, justify="right")
    table.add_column("kind")
    for s in source_statuses(settings):
        table.add_row(
            s.source.slug, str(s.files), str(s.refused), escape(s.last_file), str(s.source_as_of or "-"), _freshness(s),
            f"{s.accepted:,}", f"{s.rejected:,}", f"{s.out_of_scope:,}", s.kinds or "-",
        )  # fmt: skip
    out.print(table)


def _freshness(s: SourceStatus) -> str:
    if s.source_as_of is None:
        return "no file yet"
    told = f"{s.age_days} days"
    return (
        told if s.is_fresh is None else f"{'[green]fresh[/green]' if s.is_fresh else '[yellow]stale[/yellow]'}, {told}"
    )


def print_ingest(out: Console, reporter: Reporter) -> None:
    """What one ingest did."""
    if not reporter.receipts:
        out.print("Nothing to ingest: every landing file is in the lake as the present contracts and parsers read it.")
    for r in reporter.receipts:
        if r.status == "accepted":
            out.print(
                f"{r.source}: {escape(r.filename)}: {sum(r.rows_in.values()):,} rows in = {sum(r.accepted.values()):,} accepted + "
                f"{sum(r.rejected.values()):,} rejected + {r.out_of_scope:,} out of scope", highlight=False,
            )  # fmt: skip
            for g in r.rejections:
                out.print(
                    f"  rejected {g.rows} in {g.table}.{g.column} ({g.rule}), first row {g.first_row}: {escape(g.example)}",
                    highlight=False,
                )


def print_checks(out: Console, settings: Settings, results: list[CheckResult]) -> None:
    """What the contract checks and the last dbt build say."""
    out.print(
        f"Contract checks: {sum(r.passed for r in results)} of {len(results)} lake files passed "
        f"({sum(r.expectations for r in results)} expectations, {sum(not r.was_known for r in results)} files checked now)."
    )
    built = warehouse.built(settings)
    if built:
        out.print("dbt, last green build: " + ", ".join(f"{v} {k}" for k, v in sorted(built["results"].items())))
    _print_trouble(out, settings)


def _print_trouble(out: Console, settings: Settings) -> None:
    for r in lake.receipts(settings.lake):
        if r.status == "refused":
            out.print(f"[red]refused[/red]  {r.source}: {escape(r.message)}", highlight=False)
        for g in r.rejections if r.status == "accepted" else ():
            out.print(
                f"[yellow]rejected[/yellow]  {g.rows} row(s) of {escape(r.filename)}, {g.table}.{g.column} ({g.rule}); "
                f"first row {g.first_row}: {escape(g.example)}", highlight=False,
            )  # fmt: skip


def print_warehouse(out: Console, settings: Settings) -> None:
    if settings.analysts_db.exists():
        out.print(f"Warehouse for analysts: {settings.analysts_db}", highlight=False, soft_wrap=True)


def print_parity(out: Console, compared: Sequence[Compared]) -> None:
    """DuckDB's and Spark's tables side by side."""
    table = Table(title="Spark beside DuckDB")
    for head in ("table", "rows", "rows by Spark", "rows that differ", "greatest difference of floats", "equal"):
        table.add_column(head, justify="left" if head in ("table", "equal") else "right")
    for c in compared:
        told = "yes" if c.is_equal else f"no {', '.join(c.missing_columns)}"
        table.add_row(
            f"{c.schema}.{c.table}", f"{c.duckdb_rows:,}", f"{c.spark_rows:,}", f"{c.differing:,}",
            f"{c.float_difference:.1e}" if c.float_difference else "", told,
        )  # fmt: skip
    out.print(table)
    equal = sum(c.is_equal for c in compared)
    out.print(
        f"{equal} of {len(compared)} tables are equal (exact; floats within 1e-9 of each other).", highlight=False
    )


def print_run(out: Console, settings: Settings, did: bool) -> None:
    """The short summary that ends a run."""
    if not did:
        out.print(
            "[bold]Nothing new:[/bold] every file is in the lake, checked, built and published. No work was done."
        )
    table = Table(title="Files and rows")
    for head in ("source", "files", "rows in", "accepted", "rejected", "out of scope", "refused files"):
        table.add_column(head, justify="left" if head == "source" else "right")
    for s in source_statuses(settings):
        table.add_row(
            s.source.slug,
            str(s.files),
            f"{s.rows_in:,}",
            f"{s.accepted:,}",
            f"{s.rejected:,}",
            f"{s.out_of_scope:,}",
            str(s.refused),
        )
    out.print(table)
    _print_trouble(out, settings)
    out.print(checks_line(settings), highlight=False)
    for what, path in places(settings):
        out.print(f"{what:<24}{path}", highlight=False, soft_wrap=True)
    out.print("\nThree queries to try:")
    if shutil.which("antawasi") is None:  # started by make: the shell does not know the command yet
        out.print(f"  . {Path(sys.prefix) / 'bin' / 'activate'}", highlight=False, soft_wrap=True)
    for title, sql in QUERIES:
        out.print(f"  # {title}", highlight=False)
        out.print(f'  antawasi query "{sql}"', highlight=False, soft_wrap=True)


def checks_line(settings: Settings) -> str:
    """Checks that passed: Great Expectations on lake files, dbt tests in the build."""
    receipts = lake.receipts(settings.lake)
    raw = [t for t in contracts.all_contracts().values() if t.layer == "raw"]
    known = [quality.recall(settings.lake, t, r) for t in raw for r in receipts if r.accepted.get(t.name)]
    passed = [k for k in known if k is not None]
    built = warehouse.built(settings)
    tests = {k: v for k, v in (built["results"] if built else {}).items() if k.startswith("test")}
    green = sum(v for k, v in tests.items() if k.endswith(" pass"))
    return (
        f"Checks passed: {sum(k.expectations for k in passed)} expectations on {len(passed)} lake files, "
        f"{green} of {sum(tests.values())} dbt tests."
    )


def places(settings: Settings) -> list[tuple[str, Path]]:
    """Where a person finds what the run made."""
    latest = settings.releases / "latest"
    return [
        ("Warehouse (analysts):", settings.analysts_db),
        ("Extracts (release):", latest.resolve() if latest.exists() else settings.releases),
        ("Public page:", latest / "index.html"),
        ("Report of this run:", settings.reports / "report.html"),
    ]


def write_report(settings: Settings) -> Path:
    """The data team's page: sources, rejections, checks, place matching. Rewritten only when it differs."""
    import jinja2

    environment = jinja2.Environment(
        loader=jinja2.FileSystemLoader(Path(__file__).parent / "templates"), autoescape=True, undefined=jinja2.StrictUndefined,
        trim_blocks=True, lstrip_blocks=True,
    )  # fmt: skip
    receipts = lake.receipts(settings.lake)
    text = environment.get_template("report.html.j2").render(
        statuses=source_statuses(settings),
        refused=[r for r in receipts if r.status == "refused"],
        rejections=[(r, g) for r in receipts if r.status == "accepted" for g in r.rejections],
        checks=checks_line(settings),
        places=places(settings),
        match_rates=_match_rates(settings),
        synthetic=any(r.is_synthetic for r in receipts),
    )
    target = settings.reports / "report.html"
    if not target.exists() or target.read_text(encoding="utf-8") != text:
        with files.atomic_path(target) as tmp:
            tmp.write_text(text, encoding="utf-8")
    return target


def _match_rates(settings: Settings) -> list[dict[str, object]]:
    if not settings.analysts_db.exists():
        return []
    with warehouse.connect(settings.analysts_db, read_only=True) as connection:
        cursor = connection.execute("SELECT * FROM marts.mart_place_match_rate ORDER BY ALL")
        names = [d[0] for d in cursor.description or ()]
        return [dict(zip(names, row, strict=True)) for row in cursor.fetchall()]
