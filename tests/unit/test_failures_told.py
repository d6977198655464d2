"""Why a run failed, as people are told it: our own messages whole, of others the first line and what to do."""

from __future__ import annotations

import sys
from types import SimpleNamespace
from typing import Any, cast

import dagster as dg
import pytest
from dagster._utils.error import serializable_error_info_from_exc_info

from pipelines import house
from pipelines.disclosure.attack import AttackBroken
from pipelines.disclosure.cells import CellsRefused
from pipelines.disclosure.suppress import NoPattern
from pipelines.errors import AntawasiError, FileRefused
from pipelines.fetch.http import FetchFailed

MESSAGE = "Two cells cannot be hidden:\n  place 03, 2025\nWhat to do: publish fewer levels."


def told(error: Exception) -> str | None:
    """What is said of a step that failed with `error` below an error of Dagster's own."""
    try:
        try:
            raise error
        except Exception as cause:
            raise RuntimeError("Error occurred while executing op") from cause
    except RuntimeError:
        info = serializable_error_info_from_exc_info(sys.exc_info())
    event = SimpleNamespace(event_specific_data=SimpleNamespace(error=info))
    return house.failure_told([cast(dg.DagsterEvent, event)], "The log is x.log. What to do: look at it.")


@pytest.mark.parametrize(
    "error", [AntawasiError(MESSAGE), AttackBroken(MESSAGE), CellsRefused(MESSAGE), NoPattern(MESSAGE, ())]
)
def test_a_message_of_ours_is_told_whole_and_alone(error: Exception):
    assert told(error) == MESSAGE


@pytest.mark.parametrize(
    "error",
    [
        FetchFailed("https://example.org", "404", "ask the publisher"),
        FileRefused("no header", expected="a header", remedy="ask for the file anew", file="a.csv"),
    ],
)
def test_what_errors_make_of_their_parts_is_told_without_their_class(error: Exception):
    assert told(error) == str(error)


def test_an_error_of_others_is_told_by_its_first_line_and_what_to_do():
    cause: Any = ValueError("no such thing\nand more")
    assert told(cause) == "ValueError: no such thing The log is x.log. What to do: look at it."


def test_an_error_of_a_module_that_is_not_here_is_told_like_others():
    gone = type("Gone", (Exception,), {"__module__": "pipelines.of_another_version"})("no such thing")
    assert told(gone) == "pipelines.of_another_version.Gone: no such thing The log is x.log. What to do: look at it."
