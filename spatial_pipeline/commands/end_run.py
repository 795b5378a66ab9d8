"""The command ``spatial-pipeline end-run``."""

from __future__ import annotations

from typing import Annotated

import typer

from spatial_pipeline.commands.terminal import print_text, wrong
from spatial_pipeline.errors import SpatialPipelineError


def end_run(
    run: Annotated[str, typer.Argument(metavar="RUN", help="Id of the run, or how it begins.")],
    by: Annotated[str, typer.Option("--by", metavar="NAME", help="Who you are.")],
) -> None:
    """End a run that is stuck, as failed: its slots are free, and its retries may begin.

    Needs DAGSTER_HOME of the daemon. What it had staged stays; readers see what they saw.
    """
    from spatial_pipeline.orchestration.stuck_run import end_run as end

    try:
        job = end(run, by)
    except SpatialPipelineError as exc:
        wrong(str(exc))
    print_text(f"{run} ({job}) has ended\n")
