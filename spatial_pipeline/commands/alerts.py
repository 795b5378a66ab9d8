"""The commands ``spatial-pipeline alerts``."""

from __future__ import annotations

from typing import Annotated

import typer

from spatial_pipeline.commands.project import FAILED, settings
from spatial_pipeline.commands.terminal import print_text, results_only, wrong
from spatial_pipeline.errors import SpatialPipelineError

alerts = typer.Typer(
    help="Commands for alert channels.", no_args_is_help=True, rich_markup_mode=None
)


@alerts.command("test")
@results_only
def send_sample(
    channel: Annotated[
        list[str] | None,
        typer.Option(metavar="NAME", help="Use only this channel. Can be repeated."),
    ] = None,
) -> None:
    """Send a sample message to every channel. Exit code 1 if any of them failed."""
    from spatial_pipeline.alert.message import Links
    from spatial_pipeline.contract.spelling import closest
    from spatial_pipeline.pipeline.alert_context import channels_of, sample

    environment = settings()
    try:
        found = channels_of(environment)
    except SpatialPipelineError as exc:
        wrong(str(exc))
    if not found:
        wrong("there are no channels: set SPATIAL_ALERT_URLS")
    names = [c.name for c in found]
    for name in channel or ():
        if name not in names:
            hint = closest(name, names).hint
            wrong(f"there is no channel {name!r}{hint}")
    message = sample(Links(environment.ui_url))
    failed = False
    for each in found:
        if channel and each.name not in channel:
            continue
        error = each.send(message)
        failed |= error is not None
        print_text(f"{each.name}: {'sent' if error is None else f'failed: {error}'}\n")
    raise typer.Exit(FAILED if failed else 0)
