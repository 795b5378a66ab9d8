"""The command line: ``spatial-pipeline``.

Exit codes: 0 all blocking rules passed, 1 some failed, 2 mistake in the call or a contract.
"""

from __future__ import annotations

import atexit
import gc
import logging
import os
import sys
from collections.abc import Iterable
from importlib import import_module
from typing import Annotated, Any

import typer

from spatial_pipeline.commands.terminal import results_only, show_version
from spatial_pipeline.commands.unused_options import leave_out_unused_options
from spatial_pipeline.runtime.json_logs import JsonLines
from spatial_pipeline.runtime.unused_packages import SINGLE_COMMAND

COMMANDS = {
    "check": "check:check",
    "profile": "profile:profile",
    "rules": "rules:rules",
    "schema": "rules:schema",
    "run": "run:run",
    "history": "versions:history",
    "show": "versions:show",
    "diff": "versions:diff",
    "report": "report:report",
    "rollback": "rollback:rollback",
    "accept": "accept:accept",
    "held": "held:held",
    "health": "health:health",
    "metrics": "metrics:metrics",
    "end-run": "end_run:end_run",
    "alerts": "alerts:alerts",
    "store": "store:store",
}
"""Command, in the order of ``--help`` → module of ``commands`` and what it holds: a function, or a
group of commands."""


GC_THRESHOLD = 50_000
"""New objects before the garbage collector looks at them; Python's own number is 700."""


def spatial_pipeline(
    version: Annotated[
        bool,
        typer.Option(
            "--version", help="Show the version and exit.", callback=show_version, is_eager=True
        ),
    ] = False,
) -> None:
    """Spatial data contracts: ingest and check datasets, and publish those that pass."""


def application(names: Iterable[str]) -> typer.Typer:
    """The command line with some of its commands.

    Args:
        names: keys of :data:`COMMANDS`.

    """
    made = typer.Typer(
        no_args_is_help=True,
        pretty_exceptions_enable=False,
        rich_markup_mode=None,
        context_settings={"help_option_names": ["-h", "--help"]},
    )
    made.callback()(spatial_pipeline)
    for name in names:
        module, _, attribute = COMMANDS[name].partition(":")
        found = getattr(import_module(f"spatial_pipeline.commands.{module}"), attribute)
        if isinstance(found, typer.Typer):
            made.add_typer(found, name=name)
        else:
            made.command(name)(results_only(found))
    return made


def __getattr__(name: str) -> Any:
    if name == "app":
        return application(COMMANDS)
    msg = f"module {__name__!r} has no attribute {name!r}"
    raise AttributeError(msg)


def main() -> None:
    """Entry point."""
    logging.basicConfig(stream=sys.stderr, level=logging.WARNING, format="%(message)s")
    if os.environ.get("SPATIAL_LOG_FORMAT") == "json":
        logging.getLogger().handlers[0].setFormatter(JsonLines())
    logging.captureWarnings(capture=True)
    # Pydantic looks for plugins in all installed packages: a tenth of the time of a short command.
    os.environ.setdefault("PYDANTIC_DISABLE_PLUGINS", "__all__")
    SINGLE_COMMAND.set()
    leave_out_unused_options()
    # Imports make many objects that stay: collections between them find nothing.
    gc.set_threshold(GC_THRESHOLD, *gc.get_threshold()[1:])
    # Python looks once more for cycles at its end, among all objects of all modules.
    atexit.register(gc.freeze)
    # Only the command that is called is imported; all are for help, completion and a misspelling.
    called = sys.argv[1] if len(sys.argv) > 1 else ""
    application([called] if called in COMMANDS else COMMANDS)()
