"""Errors that a person reads: what happened, where, what was expected, what to do."""

from __future__ import annotations

from pathlib import Path


class AntawasiError(Exception):
    """Any failure whose message is meant for a person; the command line shows it without a traceback."""


class FileRefused(AntawasiError):
    """A whole file cannot be read as its source. Nothing of it enters the lake; it stays in landing.

    Args:
        problem: what was found, with the offending value.
        expected: what the source's contract says should be there.
        remedy: what the person should do next.
        file: the file's name as received.
        place: line, column, sheet, zip member or element; "" when the whole file is meant.
    """

    def __init__(self, problem: str, *, expected: str, remedy: str, file: str | Path = "", place: str = ""):
        self.problem, self.expected, self.remedy = problem, expected, remedy
        self.file, self.place = Path(file).name if file else "", place
        super().__init__(problem)

    def __str__(self) -> str:
        where = ", ".join(part for part in (self.file, self.place) if part)
        return f"{where + ': ' if where else ''}{self.problem}. Expected: {self.expected}. What to do: {self.remedy}."

    def __reduce__(self):  # survives the trip back from a worker process
        return _rebuild_refusal, (self.problem, self.expected, self.remedy, self.file, self.place)


def _rebuild_refusal(problem, expected, remedy, file, place):
    return FileRefused(problem, expected=expected, remedy=remedy, file=file, place=place)


class VaultError(AntawasiError):
    """The vault's key is missing, is another one than the lake was written with, or cannot be read."""


class Busy(AntawasiError):
    """Another process holds the zone that this one wants to write."""


class PublishRefused(AntawasiError):
    """Something that may not leave the house was asked to leave it."""
