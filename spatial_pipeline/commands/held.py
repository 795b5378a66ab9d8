"""The command ``spatial-pipeline held``."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from spatial_pipeline.commands.project import (
    FAILED,
    JsonOption,
    project_of,
    settings,
)
from spatial_pipeline.commands.terminal import print_json, print_rich, print_text, wrong
from spatial_pipeline.errors import SpatialPipelineError


def held(
    contracts: Annotated[
        list[Path] | None,
        typer.Option(
            metavar="PATH",
            help="File or folder of contracts. Only their datasets are listed, judged by the "
            "contracts as they are now. Default: everything in the store.",
        ),
    ] = None,
    as_json: JsonOption = False,
) -> None:
    """List versions that are held or unpublished, and why. Exit code 1 if there are any."""
    from rich.markup import escape

    from spatial_pipeline.pipeline.held import inventory
    from spatial_pipeline.report.tables import terminal_table
    from spatial_pipeline.store.versions import Store

    judged = None
    if contracts:
        judged = {c.name: c for c in project_of(contracts, as_json)[0]}
    try:
        found = inventory(Store(settings().store), judged)
    except SpatialPipelineError as exc:
        wrong(str(exc))
    if as_json:
        print_json({"held": [s.to_json() for s in found]})
    elif not found:
        print_text("nothing is held\n")
    else:
        table = terminal_table("Dataset", "State", "Since (UTC)", "Readers see", "Why")
        for each in found:
            since = each.since.replace("+00:00", "")
            cells = (each.title, each.state, since, each.readers_see, "; ".join(each.reasons))
            table.add_row(*(escape(c or "nothing") for c in cells))
        print_rich(table)
    raise typer.Exit(FAILED if found else 0)
