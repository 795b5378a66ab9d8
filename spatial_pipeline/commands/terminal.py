"""What the command line says, and where: results on stdout, everything else on stderr."""

from __future__ import annotations

import sys
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any, NoReturn

import typer
from rich.console import Console, RenderableType

from spatial_pipeline.runtime.json_text import json_text

WRONG = 2
WIDTH = 160
"""Columns of tables that do not go to a terminal."""


@contextmanager
def progress_bars() -> Iterator[Any]:
    """A function that gets (dataset, what is done, pieces done, pieces planned).

    On a terminal it draws bars on stderr; elsewhere it does nothing.
    """
    if not sys.stderr.isatty():
        yield lambda *_: None
        return
    from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn

    columns = (TextColumn("{task.description}"), BarColumn(), MofNCompleteColumn())
    with Progress(*columns, console=Console(stderr=True), transient=True) as bars:
        tasks: dict[tuple[str, str], Any] = {}

        def show(dataset: str, stage: str, done: int, total: int | None) -> None:
            key = (dataset, stage)
            if key not in tasks:
                tasks[key] = bars.add_task(f"{stage} {dataset}".replace("[", r"\["), total=total)
            bars.update(tasks[key], completed=done, total=total)

        yield show


def print_rich(renderable: RenderableType) -> None:
    """A table or text on stdout, as wide as the terminal."""
    Console(width=None if sys.stdout.isatty() else WIDTH).print(renderable)


def print_json(value: Any) -> None:
    """One JSON value on stdout."""
    sys.stdout.write(json_text(value, indent=2) + "\n")


def say(text: str) -> None:
    """A line on stderr."""
    typer.echo(text, err=True)


def wrong(text: str) -> NoReturn:
    """Says what is wrong with the call or a contract, and exits with 2."""
    say(f"error: {text}")
    raise typer.Exit(WRONG)
