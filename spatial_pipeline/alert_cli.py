"""Commands of the command line for those who keep it running: alerts."""

from __future__ import annotations

import sys
from typing import Annotated

import typer

from spatial_pipeline.errors import SpatialPipelineError

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
