"""Commands of the command line for those who keep it running: alerts, and what is held."""

from __future__ import annotations

import json
import sys
from pathlib import Path
from typing import Annotated

import typer

from spatial_pipeline.errors import SpatialPipelineError

WIDTH = 160
"""Columns of a table that does not go to a terminal."""

alerts = typer.Typer(
    help="Alerts: who is told what is wrong.", no_args_is_help=True, rich_markup_mode=None
)


@alerts.command("test")
def send_sample(
    channel: Annotated[
        list[str] | None,
        typer.Option(metavar="NAME", help="Only this channel; may be repeated."),
    ] = None,
) -> None:
    """Send a sample to every channel and say which took it; exit 1 if one did not."""
    from pydantic import ValidationError

    from spatial_pipeline.alert.message import Links
    from spatial_pipeline.alerting import channels_of, sample
    from spatial_pipeline.contract.words import closest
    from spatial_pipeline.settings import Settings

    try:
        settings = Settings()
        found = channels_of(settings)
    except (ValidationError, SpatialPipelineError) as exc:
        typer.echo(f"error: {exc}", err=True)
        raise typer.Exit(2) from exc
    if not found:
        typer.echo("error: no channel: SPATIAL_ALERT_URLS is not set", err=True)
        raise typer.Exit(2)
    names = [c.name for c in found]
    for name in channel or ():
        if name not in names:
            hint = closest(name, names).hint
            typer.echo(f"error: there is no channel {name!r}{hint}", err=True)
            raise typer.Exit(2)
    message = sample(Links(settings.ui_url))
    failed = False
    for each in found:
        if channel and each.name not in channel:
            continue
        error = each.send(message)
        failed |= error is not None
        sys.stdout.write(f"{each.name}: {'sent' if error is None else f'failed: {error}'}\n")
    raise typer.Exit(1 if failed else 0)


def held(
    contracts: Annotated[
        list[Path] | None,
        typer.Option(
            metavar="PATH",
            help="File or folder of contracts: only their datasets, judged by them as of today. "
            "Everything in the store unless given.",
        ),
    ] = None,
    as_json: Annotated[
        bool, typer.Option("--json", help="Print one JSON object on stdout and nothing else there.")
    ] = False,
) -> None:
    """List what readers do not get, since when and why; exit 1 if there is anything."""
    from pydantic import ValidationError
    from rich.console import Console
    from rich.markup import escape
    from rich.table import Table

    from spatial_pipeline.contract.load import load_project
    from spatial_pipeline.inventory import inventory
    from spatial_pipeline.settings import Settings
    from spatial_pipeline.store.versions import Store

    try:
        own = None if contracts is None else load_project(contracts)[0]
        judged = None if own is None else {c.name: c for c in own}
        found = inventory(Store(Settings().store), judged)
    except (ValidationError, SpatialPipelineError) as exc:
        typer.echo(f"error: {exc}", err=True)
        raise typer.Exit(2) from exc
    if as_json:
        listed = {"held": [s.to_json() for s in found]}
        sys.stdout.write(json.dumps(listed, ensure_ascii=False, indent=2) + "\n")
    elif not found:
        typer.echo("nothing is held")
    else:
        table = Table("Dataset", "State", "Since (UTC)", "Readers see", "Why")
        for each in found:
            since = each.since.replace("+00:00", "")
            cells = (each.title, each.state, since, each.readers_see, "; ".join(each.reasons))
            table.add_row(*(escape(c or "nothing") for c in cells))
        Console(width=None if sys.stdout.isatty() else WIDTH).print(table)
    raise typer.Exit(1 if found else 0)


def add_commands(app: typer.Typer) -> None:
    """Adds the commands of this module to the command line."""
    app.add_typer(alerts, name="alerts")
    app.command()(held)
