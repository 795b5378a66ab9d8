"""The command line: ``spatial-pipeline``.

Exit codes: 0 all blocking rules passed, 1 some failed, 2 mistake in the call or a contract.
"""

from __future__ import annotations

import logging
import os
import sys
from typing import Annotated

import typer

from spatial_pipeline.commands.accept import accept
from spatial_pipeline.commands.alerts import alerts
from spatial_pipeline.commands.check import check
from spatial_pipeline.commands.end_run import end_run
from spatial_pipeline.commands.health import health
from spatial_pipeline.commands.held import held
from spatial_pipeline.commands.metrics import metrics
from spatial_pipeline.commands.profile import profile
from spatial_pipeline.commands.report import report
from spatial_pipeline.commands.rollback import rollback
from spatial_pipeline.commands.rules import rules, schema
from spatial_pipeline.commands.run import run
from spatial_pipeline.commands.store import store
from spatial_pipeline.commands.terminal import results_only, show_version
from spatial_pipeline.commands.versions import diff, history, show
from spatial_pipeline.runtime.json_logs import JsonLines

app = typer.Typer(
    no_args_is_help=True,
    pretty_exceptions_enable=False,
    rich_markup_mode=None,
    context_settings={"help_option_names": ["-h", "--help"]},
)


@app.callback()
def spatial_pipeline(
    version: Annotated[
        bool,
        typer.Option(
            "--version", help="Show the version and exit.", callback=show_version, is_eager=True
        ),
    ] = False,
) -> None:
    """Spatial data contracts: ingest and check datasets, and publish those that pass."""


for command in (
    check,
    profile,
    rules,
    schema,
    run,
    history,
    show,
    diff,
    report,
    rollback,
    accept,
    held,
    health,
    metrics,
):
    app.command()(results_only(command))
app.command("end-run")(results_only(end_run))
app.add_typer(alerts, name="alerts")
app.add_typer(store, name="store")


def main() -> None:
    """Entry point."""
    logging.basicConfig(stream=sys.stderr, level=logging.WARNING, format="%(message)s")
    if os.environ.get("SPATIAL_LOG_FORMAT") == "json":
        logging.getLogger().handlers[0].setFormatter(JsonLines())
    logging.captureWarnings(capture=True)
    app()
