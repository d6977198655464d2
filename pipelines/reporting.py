"""What a run tells a person while it works: a quiet default, and a terminal with progress bars."""

from __future__ import annotations

import contextlib
from collections.abc import Callable, Iterator, Sequence
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from rich.console import Console

    from pipelines.lake import Receipt
    from pipelines.landing import OriginCard
    from pipelines.quality import CheckResult


class Reporter:
    """Keeps what happened for the summary; says nothing while it happens."""

    def __init__(self) -> None:
        self.landed_new = 0
        self.landed_known = 0
        self.receipts: list[Receipt] = []
        self.checks: list[CheckResult] = []

    def landed(self, card: OriginCard, is_new: bool) -> None:
        self.landed_new += is_new
        self.landed_known += not is_new

    def ingested(self, receipt: Receipt) -> None:
        self.receipts.append(receipt)

    def checked(self, table: str, results: Sequence[CheckResult]) -> None:
        self.checks.extend(results)

    def step(self, text: str) -> None:
        """A step without countable parts has begun."""

    @contextlib.contextmanager
    def task(self, title: str, total: int) -> Iterator[Callable[[int], None]]:
        """A task of `total` parts; the yielded function advances it."""
        yield lambda parts: None


class TerminalReporter(Reporter):
    """Progress bars on a terminal, plain lines elsewhere."""

    def __init__(self, console: Console):
        super().__init__()
        self.console = console

    def ingested(self, receipt: Receipt) -> None:
        super().ingested(receipt)
        if receipt.status == "refused":
            self.console.print(f"[red]refused[/red]  {receipt.message}", highlight=False)

    def checked(self, table: str, results: Sequence[CheckResult]) -> None:
        super().checked(table, results)
        for failure in (f for r in results for f in r.failures):
            self.console.print(f"[red]check failed[/red]  {failure}", highlight=False)

    def step(self, text: str) -> None:
        self.console.print(f"[dim]…[/dim] {text}", highlight=False)

    @contextlib.contextmanager
    def task(self, title: str, total: int) -> Iterator[Callable[[int], None]]:
        if not total:
            yield lambda parts: None
            return
        from rich.progress import BarColumn, MofNCompleteColumn, Progress, SpinnerColumn, TextColumn, TimeElapsedColumn

        columns = (
            SpinnerColumn(),
            TextColumn("{task.description}"),
            BarColumn(),
            MofNCompleteColumn(),
            TimeElapsedColumn(),
        )
        with Progress(*columns, console=self.console, disable=not self.console.is_terminal) as progress:
            bar = progress.add_task(title, total=total)
            yield lambda parts: progress.advance(bar, parts)
        if not self.console.is_terminal:
            self.console.print(f"… {title}: {total} file(s)", highlight=False)
