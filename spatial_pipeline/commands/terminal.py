"""Terminal output: results on stdout, everything else on stderr."""

from __future__ import annotations

import functools
import os
import sys
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager, redirect_stdout, suppress
from typing import TYPE_CHECKING, Any, NoReturn, ParamSpec, TextIO, TypeVar

import typer

from spatial_pipeline.runtime.json_text import json_text

if TYPE_CHECKING:
    from rich.console import RenderableType

WRONG = 2
INTERRUPTED = 130
"""Exit code after Ctrl-C, as shells have it: 128 and the number of the signal."""
WIDTH = 160
"""Width in columns of tables that do not go to a terminal, unless COLUMNS is set."""
P = ParamSpec("P")
R = TypeVar("R")
_RESULTS: list[TextIO] = []
"""The stream for results of the command that runs."""


@contextmanager
def progress_bars(*, quiet: bool = False) -> Iterator[Any]:
    """A function that gets (dataset, stage of the work, pieces done, pieces planned).

    On a terminal it draws bars on stderr with the remaining time; elsewhere, and where quiet, it
    does nothing.
    """
    if quiet or not sys.stderr.isatty():
        yield lambda *_: None
        return
    from rich.console import Console
    from rich.progress import (
        BarColumn,
        MofNCompleteColumn,
        Progress,
        TextColumn,
        TimeRemainingColumn,
    )

    columns = (
        TextColumn("{task.description}"),
        BarColumn(),
        MofNCompleteColumn(),
        TimeRemainingColumn(elapsed_when_finished=True),
    )
    with Progress(*columns, console=Console(stderr=True), transient=True) as bars:
        tasks: dict[tuple[str, str], Any] = {}

        def show(dataset: str, stage: str, done: int, total: int | None) -> None:
            key = (dataset, stage)
            if key not in tasks:
                tasks[key] = bars.add_task(f"{stage} {dataset}".replace("[", r"\["), total=total)
            bars.update(tasks[key], completed=done, total=total)

        yield show


def results_only(command: Callable[P, R]) -> Callable[P, R]:
    """Wraps a command so that its stdout holds results only.

    All other output to stdout while it runs, by Python, by C libraries and by child processes, goes
    to stderr. Ctrl-C ends it with a message and exit code 130.
    """

    @functools.wraps(command)
    def called(*args: P.args, **kwargs: P.kwargs) -> R:
        try:
            with _results_apart():
                return command(*args, **kwargs)
        except KeyboardInterrupt:
            say("interrupted: nothing is left half-written, and the same command starts again")
            raise typer.Exit(INTERRUPTED) from None

    return called


@contextmanager
def _results_apart() -> Iterator[None]:
    given = sys.stdout
    given.flush()
    with ExitStack() as stack:
        results: TextIO = given
        kept = _descriptor_kept(given)
        if kept is not None:
            stack.callback(_descriptor_restored, kept)
            encoding, errors = given.encoding, given.errors
            results = stack.enter_context(
                open(kept, "w", encoding=encoding, errors=errors, closefd=False)
            )
        _RESULTS.append(results)
        stack.callback(_RESULTS.pop)
        with redirect_stdout(sys.stderr):
            yield


def _descriptor_kept(stream: TextIO) -> int | None:
    """A copy of descriptor 1, which is stderr from now on; None for other streams."""
    try:
        if stream.fileno() != 1:
            return None
        kept = os.dup(1)
    except (OSError, ValueError):  # in memory, or closed
        return None
    with suppress(OSError):  # stderr is closed
        os.dup2(2, 1)
    return kept


def _descriptor_restored(kept: int) -> None:
    os.dup2(kept, 1)
    os.close(kept)


def _results() -> TextIO:
    """The stream for results: stdout, also while a command runs."""
    return _RESULTS[-1] if _RESULTS else sys.stdout


def show_version(wanted: bool) -> None:
    """Prints the version of the installed package, if it is wanted, and exits."""
    if wanted:
        from importlib.metadata import version

        print_text(f"spatial-pipeline {version('spatial_pipeline')}\n")
        raise typer.Exit


def print_rich(renderable: RenderableType) -> None:
    """A table or text on stdout, as wide as the terminal."""
    from rich.console import Console

    stream = _results()
    known = stream.isatty() or os.environ.get("COLUMNS", "").isdecimal()
    Console(file=stream, width=None if known else WIDTH).print(renderable)


def print_json(value: Any) -> None:
    """One JSON value on stdout."""
    print_text(json_text(value, indent=2) + "\n")


def print_text(text: str) -> None:
    """Prints text on stdout unchanged."""
    _results().write(text)


def say(text: str) -> None:
    """A line on stderr."""
    typer.echo(text, err=True)


def wrong(text: str) -> NoReturn:
    """Reports a mistake in the call or in a contract, and exits with 2."""
    say(f"error: {text}")
    raise typer.Exit(WRONG)
