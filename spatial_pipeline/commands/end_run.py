"""The command ``spatial-pipeline end-run``."""

from __future__ import annotations

from typing import Annotated

import typer

from spatial_pipeline.commands.terminal import print_text, wrong
from spatial_pipeline.errors import SpatialPipelineError


def end_run(
    run: Annotated[str, typer.Argument(metavar="RUN", help="ID of the run, or its beginning.")],
    by: Annotated[
        str, typer.Option("--by", metavar="NAME", help="Your name, for the log of the run.")
    ],
) -> None:
    """End a stuck run as failed.

    Its slots are free then, and its retries can begin. DAGSTER_HOME must be that of the daemon.
    Staged versions stay, and readers see no change.
    """
    from spatial_pipeline.orchestration.stuck_run import end_run as end

    try:
        job = end(run, by)
    except SpatialPipelineError as exc:
        wrong(str(exc))
    print_text(f"{run} ({job}) has ended\n")
