"""The command ``spatial-pipeline run``."""

from __future__ import annotations

import logging
from collections.abc import Sequence
from typing import TYPE_CHECKING, Annotated, Any

import typer

from spatial_pipeline.commands.completion import complete_dataset
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
from spatial_pipeline.commands.terminal import print_json, print_rich, progress_bars, say
from spatial_pipeline.errors import SpatialPipelineError

if TYPE_CHECKING:
    from spatial_pipeline.orchestration.materialize import Row


def run(
    datasets: Annotated[
        list[str] | None,
        typer.Argument(
            metavar="[DATASET…]",
            help="Datasets to run. Default: all.",
            autocompletion=complete_dataset,
        ),
    ] = None,
    contracts: ContractsOption = None,
    partition: PartitionOption = None,
    as_json: JsonOption = False,
    quiet: Annotated[
        bool,
        typer.Option("--quiet", "-q", help="Print failures only; the exit code says the rest."),
    ] = False,
    verbose: Annotated[
        bool, typer.Option("--verbose", help="Print Dagster's log on stderr.")
    ] = False,
) -> None:
    """Stage, check and publish datasets through Dagster. Held datasets are listed with reasons.

    Exit code 1 if a dataset is held or a run failed.
    """
    own, neighbours = project_of(contracts or samples(), as_json, datasets or ())
    everything = [*own, *neighbours]
    for name in datasets or ():
        named(everything, name)
    chosen = [c for c in own if not datasets or c.name in datasets]
    targets_of(chosen, partition, (), open_ended=True)
    pipeline_of(everything)

    from spatial_pipeline.orchestration.materialize import materialize
    from spatial_pipeline.orchestration.progress import watched

    rows: list[Row] = []
    logging.disable(logging.NOTSET if verbose else logging.CRITICAL)
    try:
        # Dagster's log would tear the bars apart.
        with progress_bars(quiet=quiet or verbose) as progress, watched(progress):
            for row in materialize(everything, datasets or [c.name for c in own], partition):
                if not (quiet and row.published):
                    say(_line(row))
                rows.append(row)
    except SpatialPipelineError as exc:
        say(f"error: {exc}")
        raise typer.Exit(FAILED) from exc
    finally:
        logging.disable(logging.NOTSET)
    if as_json:
        print_json({"datasets": [_as_json(row) for row in rows]})
    elif not quiet:
        _print_table(rows)
    raise typer.Exit(0 if rows and all(r.published for r in rows) else FAILED)


def _title(row: Row) -> str:
    return row.dataset if row.partition is None else f"{row.dataset}[{row.partition}]"


def _line(row: Row) -> str:
    """One line about a dataset; after a failed run with the reason and the published version."""
    if row.outcome != "failed":
        return f"{_title(row)}: {row.outcome}"
    seen = "nothing" if row.publication is None else row.publication.version
    return f"{_title(row)}: failed: {'; '.join(row.reasons)}; readers still see {seen}"


def _as_json(row: Row) -> dict[str, Any]:
    return {
        "dataset": row.dataset,
        "partition": row.partition,
        "version": None if row.version is None else row.version.id,
        "outcome": row.outcome,
        "published": row.published,
        "readers_see": None if row.publication is None else row.publication.version,
        "reasons": list(row.reasons),
    }


def _print_table(rows: Sequence[Row]) -> None:
    from spatial_pipeline.report.summary import Ran, run_table

    print_rich(
        run_table(
            Ran(
                title=_title(r),
                version=None if r.version is None else r.version.id,
                outcome=r.outcome,
                readers_see=None if r.publication is None else r.publication.version,
                results=() if r.verdict is None else r.verdict.results,
                reasons=r.reasons,
            )
            for r in rows
        )
    )
