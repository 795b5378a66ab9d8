"""The command ``spatial-pipeline profile``."""

from __future__ import annotations

from typing import Annotated

import typer

from spatial_pipeline.commands.project import FAILED, pipeline_of
from spatial_pipeline.commands.terminal import print_text, wrong
from spatial_pipeline.errors import SpatialPipelineError


def profile(
    source: Annotated[
        str,
        typer.Argument(
            metavar="SOURCE", help="File, archive, URL, package:// address or database."
        ),
    ],
    layer: Annotated[
        str | None, typer.Option(metavar="NAME", help="Layer, if the source has several.")
    ] = None,
    exact: Annotated[
        bool,
        typer.Option(
            "--exact/--no-exact",
            help="Include counts, sums and checksums that hold for exactly this delivery.",
        ),
    ] = True,
) -> None:
    """Print a contract inferred from a source.

    It has the rules that the data satisfy; those that fail are comments with the reason.
    Exit code 1 if the source cannot be read without loss.
    """
    from spatial_pipeline.pipeline.contract_inference import infer
    from spatial_pipeline.runtime.event_loop import run_sync

    try:
        # The command runs nothing else on this loop, so a blocking call is harmless.
        inferred = run_sync(infer(pipeline_of([]), source, layer, exact=exact), slow=None)
    except SpatialPipelineError as exc:
        wrong(str(exc))
    print_text(inferred.text())
    raise typer.Exit(0 if inferred.sound else FAILED)
