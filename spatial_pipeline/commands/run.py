"""The command ``spatial-pipeline run``."""

from __future__ import annotations

import logging
from typing import Annotated

import typer

from spatial_pipeline.commands.project import (
    FAILED,
    ContractsOption,
    JsonOption,
    PartitionOption,
    named,
    pipeline_of,
    project_of,
    samples,
    targets_of,
)
from spatial_pipeline.commands.terminal import print_json, print_rich, say


def run(
    datasets: Annotated[
        list[str] | None, typer.Argument(metavar="DATASET", help="All unless given.")
    ] = None,
    contracts: ContractsOption = None,
    partition: PartitionOption = None,
    as_json: JsonOption = False,
    verbose: Annotated[
        bool, typer.Option("--verbose", help="Show Dagster's log on stderr.")
    ] = False,
) -> None:
    """Materialize through Dagster, in process: what was published, what was held, and why."""
    own, neighbours = project_of(contracts or samples(), as_json)
    everything = [*own, *neighbours]
    for name in datasets or ():
        named(everything, name)
    chosen = [c for c in own if not datasets or c.name in datasets]
    targets_of(chosen, partition, (), open_ended=True)
    pipeline_of(everything)

    from spatial_pipeline.orchestration.materialize import materialize

    rows = []
    logging.disable(logging.NOTSET if verbose else logging.CRITICAL)
    try:
        for row in materialize(everything, datasets or [c.name for c in own], partition):
            name = row.dataset if row.partition is None else f"{row.dataset}[{row.partition}]"
            say(f"{name}: {'published' if row.published else 'held'}")
            rows.append((name, row))
    finally:
        logging.disable(logging.NOTSET)
    if as_json:
        print_json(
            {
                "datasets": [
                    {
                        "dataset": r.dataset,
                        "partition": r.partition,
                        "version": None if r.version is None else r.version.id,
                        "published": r.published,
                        "readers_see": None if r.publication is None else r.publication.version,
                        "reasons": list(r.reasons),
                    }
                    for _, r in rows
                ]
            }
        )
    else:
        from spatial_pipeline.report.summary import Ran, run_table

        print_rich(
            run_table(
                Ran(
                    title=name,
                    version=None if r.version is None else r.version.id,
                    readers_see=None if r.publication is None else r.publication.version,
                    results=() if r.verdict is None else r.verdict.results,
                    reasons=r.reasons,
                )
                for name, r in rows
            )
        )
    raise typer.Exit(0 if rows and all(r.published for _, r in rows) else FAILED)
