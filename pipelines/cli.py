"""The `antawasi` command. Every command ends with 0 when all is well and says what to do when it is not."""

from __future__ import annotations

import datetime as dt
import enum
import shutil
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer
from rich.console import Console
from rich.table import Table

from pipelines.errors import AntawasiError
from pipelines.settings import SAMPLE_DIR, Settings, get_settings

if TYPE_CHECKING:
    from pipelines.reporting import Reporter

app = typer.Typer(
    name="antawasi",
    help="Antawasi: the open warehouse of Peru's artisanal and small-scale copper.\n\n"
    'Start with `antawasi run --sample`, then `antawasi query "SELECT * FROM publish.pub_copper_price LIMIT 5"`.',
    no_args_is_help=True,
    add_completion=False,
    rich_markup_mode="rich",
    pretty_exceptions_enable=False,
)
contracts_app = typer.Typer(help="The data contracts: the one truth about every table.", no_args_is_help=True)
identity_app = typer.Typer(
    help="From a person or company to its key and back. Needs the vault; writes an audit line.", no_args_is_help=True
)
vault_app = typer.Typer(help="The vault's key.", no_args_is_help=True)
site_app = typer.Typer(help="The site of the last release.", no_args_is_help=True)
app.add_typer(contracts_app, name="contracts")
app.add_typer(identity_app, name="identity")
app.add_typer(vault_app, name="vault")
app.add_typer(site_app, name="site")

#: Piped output has no width of its own: tables keep one that a file or a log can hold.
_WIDTH = None if sys.stdout.isatty() else 160
out, err = Console(width=_WIDTH), Console(stderr=True)

EXIT_FAILED, EXIT_REFUSED_FILES = 1, 3
Wait = Annotated[
    float, typer.Option("--wait", metavar="SECONDS", help="If another run is going on, wait this long for it.")
]
AsOf = Annotated[
    str | None,
    typer.Option(
        "--as-of", metavar="YYYY-MM-DD", help="Date of the release; by default the newest date of a published source."
    ),
]


def main() -> None:
    """Entry point: messages for persons on standard error, no traceback for what a person can mend."""
    from pipelines import files

    try:
        with files.disk_errors("in the house"):
            app()
    except AntawasiError as error:
        err.print(f"[bold red]antawasi:[/bold red] {_plain(error)}", highlight=False, soft_wrap=True)
        sys.exit(EXIT_FAILED)
    except OSError as error:
        err.print(f"[bold red]antawasi:[/bold red] {_plain(error)}", highlight=False, soft_wrap=True)
        err.print("What to do: check that the path exists, may be written and has space; `antawasi doctor` helps.")
        sys.exit(EXIT_FAILED)
    except KeyboardInterrupt:
        err.print("Stopped. What was finished is kept; run the same command to go on.")
        sys.exit(130)


def _plain(error: BaseException) -> str:
    from rich.markup import escape

    return escape(str(error))


def _reporter():
    from pipelines.reporting import TerminalReporter

    # A console of its own: standard output is turned to a log while Dagster and dbt work.
    return TerminalReporter(Console(file=sys.stdout, width=_WIDTH))


def _date(text: str | None) -> dt.date | None:
    if text is None:
        return None
    try:
        return dt.date.fromisoformat(text)
    except ValueError:
        raise AntawasiError(f"{text!r} is not a date. What to do: write it as YYYY-MM-DD.") from None


@app.command()
def run(
    sample: Annotated[
        bool,
        typer.Option(
            "--sample", help="Take the committed sample of real files, and a tiny simulated sector beside it."
        ),
    ] = False,
    landing: Annotated[
        Path | None,
        typer.Option("--landing", metavar="DIR", help="Take the files of a folder with one folder per source."),
    ] = None,
    as_of: AsOf = None,
    wait: Wait = 0,
) -> None:
    """The whole road: take files in, check them, build the warehouse, publish a release.

    Without options it takes what waits in the inbox (data/inbox/<source>/). A second run with nothing new
    does nothing and says so. Ends with 3 when everything went through but some file was refused.
    """
    from pipelines import house, summary

    if sample and landing:
        raise AntawasiError("--sample and --landing exclude each other. What to do: give one of them.")
    settings, reporter = get_settings(), _reporter()
    with house.house_lock(settings, wait):
        if sample:
            folders = (SAMPLE_DIR, _tiny_sector(settings.home / "simulated", reporter))
        else:
            folders = (landing,) if landing else ()
        did = house.run(settings, reporter, folders, _date(as_of))
    summary.write_report(settings)
    summary.print_run(out, settings, did)
    if house.refused(settings):
        raise typer.Exit(EXIT_REFUSED_FILES)


@app.command()
def ingest(
    source: Annotated[str | None, typer.Argument(help="Source; all of them by default.")] = None,
    file: Annotated[Path | None, typer.Option("--file", help="Take this file in (SOURCE is needed).")] = None,
    as_of: Annotated[
        str | None,
        typer.Option(
            "--as-of", metavar="YYYY-MM-DD", help="Date that the source itself carries, where the file does not say it."
        ),
    ] = None,
    period: Annotated[
        str | None, typer.Option("--period", metavar="YYYY[-MM]", help="Period that the file must be of.")
    ] = None,
    synthetic: Annotated[bool, typer.Option("--synthetic", help="The file holds simulated data.")] = False,
    wait: Wait = 0,
) -> None:
    """Take files into landing, parse them into the lake and check them against their contracts."""
    from pipelines import house, summary
    from pipelines import landing as zone
    from pipelines.sources import SLUGS, get_source

    settings, reporter = get_settings(), _reporter()
    with house.house_lock(settings, wait):
        if file is not None:
            if source is None:
                raise AntawasiError(
                    "--file needs to know of which source it is. What to do: antawasi ingest SOURCE --file F."
                )
            known = {"source_as_of": as_of} if as_of else {}
            card, is_new = zone.land(
                settings.landing,
                get_source(source),
                file,
                period=period,
                origin=known | ({"is_synthetic": True} if synthetic else {}),
            )
            reporter.landed(card, is_new)
            if not is_new:
                out.print(f"{file.name} was landed before, on {card.landed_at[:19]} UTC; nothing counts twice.")
        elif settings.inbox.exists():
            house.take_in(settings, settings.inbox, reporter)
        chosen = (get_source(source).slug,) if source else SLUGS
        if house.look(settings).to_ingest or house.look(settings).to_check:
            house.ingest_sources(settings, chosen, house.Orchestra(settings, reporter))
    summary.print_ingest(out, reporter)
    if any(r.status == "refused" for r in reporter.receipts):
        raise typer.Exit(EXIT_REFUSED_FILES)


@app.command()
def fetch(
    source: Annotated[
        str, typer.Argument(help="Source with a public address: bcrp_series, worldbank_pinksheet, sunat_ruc, reinfo.")
    ],
) -> None:
    """Get the newest file from its publisher into landing. The only command that uses the network."""
    from pipelines import fetch as fetching

    with _fetch_progress() as progress:
        results = fetching.fetch(source, get_settings(), progress=progress)
    for got in results:
        out.print(
            f"{got.status}: {got.card.filename} ({got.card.bytes:,} bytes), source date {got.card.source_as_of or 'not known yet'}"
        )
    out.print("Next: `antawasi run` takes it through the house.")


def _fetch_progress():
    """A progress bar per downloaded file, on the fetchers' callback (file, done, total, unit)."""
    import contextlib

    from rich.progress import BarColumn, Progress, TextColumn, TimeElapsedColumn

    @contextlib.contextmanager
    def bars():
        columns = (
            TextColumn("{task.description}"),
            BarColumn(),
            TextColumn("{task.completed:,} {task.fields[unit]}"),
            TimeElapsedColumn(),
        )
        with Progress(*columns, console=err, disable=not err.is_terminal) as shown:
            tasks: dict[str, Any] = {}

            def progress(file: str, done: int, total: int | None, unit: str) -> None:
                if file not in tasks:
                    tasks[file] = shown.add_task(file, total=total, unit=unit)
                shown.update(tasks[file], completed=done, total=total)

            yield progress

    return bars()


class Engine(enum.StrEnum):
    DUCKDB = "duckdb"
    SPARK = "spark"


@app.command()
def build(
    engine: Annotated[
        Engine, typer.Option("--engine", help="duckdb, or spark: the same models, as Parquet in warehouse/spark.")
    ] = Engine.DUCKDB,
    compare: Annotated[
        bool, typer.Option("--compare", help="Compare Spark's tables with DuckDB's; ends with 1 if any differs.")
    ] = False,
    wait: Wait = 0,
) -> None:
    """Build the warehouse from the lake (dbt models and tests) and swap in the analysts' copy."""
    from pipelines import house, summary, warehouse

    settings, reporter = get_settings(), _reporter()
    if engine is Engine.SPARK:
        with house.house_lock(settings, wait):
            _build_on_spark(settings, reporter, compare)
        return
    if compare:
        raise AntawasiError("--compare is for the second engine. What to do: antawasi build --engine spark --compare.")
    with house.house_lock(settings, wait):
        if warehouse.is_current(settings, warehouse.pin(settings.lake)):
            out.print("The warehouse is up to date with the lake; nothing to build.")
        else:
            house.Orchestra(settings, reporter).build()
    summary.print_warehouse(out, settings)


def _build_on_spark(settings: Settings, reporter: Reporter, compare: bool) -> None:
    from pipelines import summary
    from pipelines.spark import build as spark_build
    from pipelines.spark import compare as parity

    out.print(f"Tables built by Spark: {spark_build.build(settings, reporter)}", highlight=False, soft_wrap=True)
    if compare:
        compared = parity.compare(settings)
        summary.print_parity(out, compared)
        if not all(c.is_equal for c in compared):
            raise typer.Exit(EXIT_FAILED)


@app.command()
def docs(wait: Wait = 0) -> None:
    """Write dbt's documentation of the last build as one file for analysts (models, columns, SQL, graph); takes about 20 seconds."""
    from pipelines import dbt_docs, house

    settings = get_settings()
    with house.house_lock(settings, wait):
        written = dbt_docs.write(settings)
    out.print(f"dbt's documentation, for analysts alone: {written}")


@app.command()
def check(wait: Wait = 0) -> None:
    """Check every lake file that has not passed its contract yet, and show what is refused or rejected."""
    from pipelines import house, summary

    settings, reporter = get_settings(), _reporter()
    with house.house_lock(settings, wait):
        results = house.check(settings, reporter)
    summary.print_checks(out, settings, results)
    if any(not r.passed for r in results):
        raise typer.Exit(EXIT_FAILED)


@app.command()
def publish(as_of: AsOf = None, wait: Wait = 0) -> None:
    """Publish a release from the analysts' copy: extracts, data package, site. Nothing new, no release."""
    from pipelines import house
    from pipelines.publish import release

    settings = get_settings()
    with house.house_lock(settings, wait):
        done = release.publish(settings, _date(as_of))
    out.print(f"{'Published' if done.is_new else 'Nothing changed since'} {done.version}: {done.path}")


@site_app.command("open")
def site_open(
    port: Annotated[
        int, typer.Option("--port", min=0, max=65535, help="Port on this machine; 0 takes a free one.")
    ] = 8321,
    browser: Annotated[bool, typer.Option("--browser/--no-browser", help="Open it in the browser.")] = True,
) -> None:
    """Serve the last release's site on this machine alone and open it. Ends with Ctrl-C."""
    import webbrowser

    from pipelines.publish import serve

    with serve.server(get_settings().releases, port) as served:
        address = f"http://{serve.LOOPBACK}:{served.server_port}/"
        out.print(f"{address} (Ctrl-C ends it)", highlight=False)
        if browser:
            webbrowser.open(address)
        try:
            served.serve_forever()
        except KeyboardInterrupt:
            out.print()


@app.command()
def status() -> None:
    """Every source: last file, date of the source, freshness against its cadence, rows, rejected, measured or simulated."""
    from pipelines import summary

    summary.print_status(out, get_settings())


@app.command()
def query(
    sql: Annotated[str, typer.Argument(help="SQL on the analysts' copy (read-only).")],
    format: Annotated[
        str, typer.Option("--format", help="table, csv, json or parquet (parquet needs a redirected output).")
    ] = "table",
) -> None:
    """Ask the analysts' copy. Example: antawasi query "SELECT * FROM publish.pub_copper_production LIMIT 5" """
    from pipelines import asking

    asking.query(get_settings(), sql, format, out)


@app.command()
def sql() -> None:
    """Open an interactive DuckDB shell on the analysts' copy, if one is installed."""
    from pipelines import asking

    raise typer.Exit(asking.shell(get_settings(), out))


@app.command()
def trace(
    table: Annotated[str, typer.Argument(help="Table of the warehouse, such as pub_copper_production.")],
    key: Annotated[str, typer.Argument(help="Row: column=value pairs, comma-separated.")],
) -> None:
    """Walk a number back to its landing file and row.

    Example: antawasi trace pub_copper_production month=2024-01-01,department_code=11,stratum_code=PPM,stage_code=CONCENTRACION
    """
    from pipelines import asking

    asking.trace(get_settings(), table, key, out)


def _tiny_sector(home: Path, reporter: Reporter) -> Path:
    """The drop folder of the smallest simulated sector, made anew only when the simulator has changed."""
    from pipelines.simulator import sector
    from pipelines.simulator.plan import load, make_plan

    plan = make_plan(load(), "tiny", seed=1)
    folder = home / f"tiny-{sector.identity(plan)}"
    for earlier in home.glob("tiny-*"):
        if earlier != folder:
            shutil.rmtree(earlier)  # what an earlier simulator wrote; landing keeps what was taken in
    return sector.simulate(plan, folder, reporter=reporter).files


@app.command()
def operator(
    key: Annotated[str, typer.Argument(help="Party key or registration key; `antawasi identity find` gives them.")],
) -> None:
    """One operator's history: registrations with their states, and the steps of the formalization, as a timeline."""
    from pipelines import timeline

    timeline.operator(get_settings(), key, out)


@app.command()
def lot(
    key: Annotated[
        str, typer.Argument(help="Code of a lot as it travels on the papers: M at the pit, L a load, K a product.")
    ],
    lang: Annotated[str, typer.Option("--lang", help="es or en.")] = "es",
    keys: Annotated[
        bool, typer.Option("--keys", help="With each payment's key: `antawasi trace fct_transfer transfer_key=KEY`.")
    ] = False,
) -> None:
    """One lot: where its copper came from and went, who was paid what for it, and where its value stayed."""
    from pipelines import lot_card

    lot_card.lot(get_settings(), key, lang, out, keys)


@app.command()
def simulate(
    scale: Annotated[
        str, typer.Option("--scale", metavar="SIZE|LOTS", help="tiny, small, medium, large, or a number of ore lots.")
    ] = "tiny",
    seed: Annotated[int, typer.Option("--seed", help="Same seed, same bytes.", min=0)] = 1,
    months: Annotated[
        str | None,
        typer.Option("--months", metavar="FIRST..LAST", help="Such as 2022-01..2026-06; by default the size's own."),
    ] = None,
    folder: Annotated[
        Path, typer.Option("--out", metavar="DIR", help="Folder to write to; it must not exist yet.")
    ] = Path("simulated"),
    defects: Annotated[
        float,
        typer.Option("--defects", metavar="RATE", help="How many defects: 0 none, 1 as documented, 2 twice as many."),
    ] = 1.0,
    workers: Annotated[
        int | None, typer.Option("--workers", help="Processes; by default one for each processor.", min=1)
    ] = None,
) -> None:
    """Simulate a copper sector with known truth: files in the true formats, and what really happened beside them.

    Take the files in with `antawasi run --landing DIR/files`. Everything made of them is marked as simulated.
    """
    from pipelines.simulator import sector
    from pipelines.simulator.plan import load, make_plan

    plan = make_plan(load(), scale, seed, months, defects)
    # for a small simulation, starting the other processes takes longer than the work
    side_by_side = workers or (get_settings().workers if plan.lots >= 2_000 else 1)
    done = sector.simulate(plan, folder, side_by_side, _reporter())
    told = ", ".join(f"{name} {count:,}" for name, count in done.counts.items())
    out.print(f"{'Simulated' if done.is_new else 'Already there'}: {folder} ({told})", highlight=False, soft_wrap=True)
    if plan.xml:
        out.print(
            f"Next: `antawasi run --landing {done.files}`; pictures: {folder}/flow_es.svg, flow_en.svg", soft_wrap=True
        )


@app.command()
def templates(
    sources: Annotated[
        list[str] | None, typer.Argument(metavar="[SOURCE]...", help="Partner sources; all of them by default.")
    ] = None,
    folder: Annotated[Path, typer.Option("--out", metavar="DIR", help="Folder to write to.")] = Path("plantillas"),
) -> None:
    """Empty workbooks for partners to fill (plants, laboratories, associations, offices), in Spanish."""
    from pipelines import partner_files

    known = {table.source: table for table in partner_files.partner_tables()}
    for source in sources or known:
        if source not in known:
            raise AntawasiError(f"{source!r} has no template. What to do: use one of {', '.join(known)}.")
    folder.mkdir(parents=True, exist_ok=True)
    for source in sources or known:
        path = folder / partner_files.template_name(known[source])
        partner_files.write_template(known[source], path)
        out.print(f"wrote {path}", highlight=False, soft_wrap=True)
    out.print("Filled files go to data/inbox/<source>/; then `antawasi run`.")


@contracts_app.command("lint")
def contracts_lint() -> None:
    """Check every contract against the ODCS schema, and what is generated from them against drift."""
    from pipelines import lint

    problems = lint.problems()
    for problem in problems:
        err.print(problem, highlight=False, soft_wrap=True)
    if problems:
        raise typer.Exit(EXIT_FAILED)
    out.print("All contracts are valid and nothing has drifted.")


@contracts_app.command("generate")
def contracts_generate() -> None:
    """Write what is generated from the contracts: dbt properties and the data dictionary."""
    from pipelines import lint

    for path in lint.generate():
        out.print(f"wrote {path}")


@contracts_app.command("show")
def contracts_show(table: Annotated[str, typer.Argument(help="Table, such as pub_copper_price.")]) -> None:
    """One table's contract: grain, columns, types, units, codes."""
    from pipelines import contracts

    contract = contracts.contract(table)
    shown = Table(
        title=f"{contract.name} v{contract.version}", caption=f"{contract.description}\nGrain: {contract.grain}"
    )
    for head in ("column", "type", "unit", "key", "class", "meaning / significado", "rule"):
        shown.add_column(head, overflow="fold")
    for c in contract.columns:
        rule = "; ".join(
            part for part in (
                "required" if c.required else "", c.pattern or "", f">= {c.minimum:g}" if c.minimum is not None else "",
                f"<= {c.maximum:g}" if c.maximum is not None else "", ", ".join(c.codes or ()),
            ) if part
        )  # fmt: skip
        shown.add_row(
            c.name,
            c.physical_type,
            c.unit,
            str(c.key_position or ""),
            c.classification,
            f"{c.description} / {c.description_es}",
            rule,
        )
    out.print(shown)
    if contract.limitations:
        out.print(f"Limits: {contract.limitations}")


@identity_app.command("find")
def identity_find(
    text: Annotated[
        str, typer.Argument(metavar="RUC|DNI|CODE", help="RUC (11 digits), DNI (8), a REINFO code or a plate.")
    ],
) -> None:
    """The party key of a RUC, DNI, REINFO code or plate."""
    from pipelines import vault

    settings = get_settings()
    keys = vault.find(settings.vault, settings.lake, text)
    for kind, key, known in keys:
        out.print(
            f"{key}  {kind}  {'known to the house' if known else 'not mentioned by any source so far'}", highlight=False
        )


@identity_app.command("reveal")
def identity_reveal(key: Annotated[str, typer.Argument(help="Party key.")]) -> None:
    """The person or company behind a party key."""
    from pipelines import vault

    settings = get_settings()
    rows = vault.reveal(settings.vault, key)
    if not rows:
        raise AntawasiError(
            f"No identity is known for key {key}. What to do: check the key; it has 32 hexadecimal digits."
        )
    for row in rows:
        out.print(f"{row['identity_kind']} {row['identity']}  {row['name'] or ''}", highlight=False)


@vault_app.command("rotate")
def vault_rotate(wait: Wait = 0) -> None:
    """Make a new key and re-key everything that was keyed with the old one, which is then destroyed.

    The house is ingested and built a second time beside the old one, compared, and swapped in. Stopped anywhere, run it
    again. Nothing that is published changes.
    """
    from pipelines import house, rotation, vault

    settings, reporter = get_settings(), _reporter()
    was_stopped = vault.is_half_rotated(settings.home)
    with house.house_lock(settings, wait):
        if was_stopped:
            out.print("The rotation that was stopped is complete; the old key is destroyed here.")
            return
        done = rotation.rotate(settings, reporter)
    out.print(
        f"New key {done.new_fingerprint} in place of {done.old_fingerprint}: {done.parties:,} identities, "
        f"{done.keys:,} keys of parties and documents. The old key is destroyed here.",
        highlight=False,
    )
    out.print("Next: `antawasi backup`, and destroy earlier copies of the old key when you no longer need them.")


@app.command()
def backup(
    data: Annotated[Path, typer.Argument(metavar="DATA", help="Folder for copies of landing and releases.")],
    vault: Annotated[
        Path, typer.Argument(metavar="VAULT", help="Folder on another medium for copies of the vault and the ledger.")
    ],
    wait: Wait = 0,
) -> None:
    """Copy what cannot be made again to two dated folders, and read every copy back."""
    from pipelines import backup as backups
    from pipelines import house

    settings = get_settings()
    with house.house_lock(settings, wait):
        done = backups.backup(settings, data, vault)
    out.print(
        f"{done.files:,} files, {done.linked:,} of them as in the backup before, {done.bytes / 1e6:,.1f} MB copied:\n"
        f"{done.data}\n{done.sealed}",
        highlight=False, soft_wrap=True,
    )  # fmt: skip


@app.command()
def restore(
    data: Annotated[Path, typer.Argument(metavar="DATA/ID", help="Dated folder with landing and releases.")],
    vault: Annotated[Path, typer.Argument(metavar="VAULT/ID", help="Folder of the same date with vault and ledger.")],
) -> None:
    """Bring a backup into an empty house (ANTAWASI_HOME), every file checked."""
    from pipelines import backup as backups
    from pipelines import house

    settings = get_settings()
    with house.house_lock(settings):
        backups.restore(settings, data, vault)
    out.print("Restored. Next: `antawasi run` makes the lake and the warehouse again.")


@app.command()
def doctor(
    tell: Annotated[bool, typer.Option("--tell", help="Send what is to be mended to the team, as configured.")] = False,
) -> None:
    """Check the installation and say how to mend it."""
    from pipelines import checkup, notify

    settings = get_settings()
    findings = checkup.findings(settings)
    marks: dict[Any, str] = {True: "[green]ok[/green]  ", False: "[red]mend[/red]", None: "[yellow]note[/yellow]"}
    for finding in findings:
        out.print(
            f"{marks[finding.ok]} {finding.what}" + (f"\n     What to do: {finding.remedy}" if finding.remedy else ""),
            highlight=False,
        )
    faults = [f for f in findings if f.ok is False]
    if faults and tell:
        lines = [f"{f.what}\nWhat to do: {f.remedy}" for f in faults]
        notify.notify(settings, f"Antawasi: {len(faults)} fault(s) found by the doctor", "\n".join(lines))
    if faults:
        raise typer.Exit(EXIT_FAILED)
