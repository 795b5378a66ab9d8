"""The command ``spatial-pipeline rollback``."""

from __future__ import annotations

from typing import Annotated

import typer

from spatial_pipeline.commands.completion import complete_dataset, complete_version
from spatial_pipeline.commands.project import (
    FAILED,
    ContractsOption,
    PartitionOption,
    named,
    pipeline_of,
    project_of,
    samples,
)
from spatial_pipeline.commands.terminal import print_text, say, wrong
from spatial_pipeline.errors import SpatialPipelineError


def rollback(
    dataset: Annotated[
        str,
        typer.Argument(
            metavar="DATASET", help="Name of the dataset.", autocompletion=complete_dataset
        ),
    ],
    partition: PartitionOption = None,
    to: Annotated[
        str | None,
        typer.Option(
            metavar="VERSION",
            help="Version to publish. Default: the previous one.",
            autocompletion=complete_version,
        ),
    ] = None,
    contracts: ContractsOption = None,
) -> None:
    """Publish an earlier version again. It must pass the current contract."""
    from spatial_pipeline.runtime.event_loop import run_sync

    own, neighbours = project_of(contracts or samples(), False, [dataset])
    everything = [*own, *neighbours]
    contract = named(everything, dataset)
    if partition is not None and contract.partitions is None:
        wrong(f"{dataset} has no partitions: leave out --partition")
    if partition is None and contract.partitions is not None:
        wrong(f"{dataset} is partitioned: give --partition KEY")
    pipeline = pipeline_of(everything)
    try:
        publication = run_sync(
            pipeline.roll_back(contract, partition, to), slow=pipeline.slow_callback_s
        )
    except SpatialPipelineError as exc:
        say(f"{dataset}: {exc}")
        raise typer.Exit(FAILED) from exc
    where = "" if partition is None else f"[{partition}]"
    print_text(f"{dataset}{where}: readers see {publication.version} again\n")
