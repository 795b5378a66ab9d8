"""The command ``spatial-pipeline check``."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from spatial_pipeline.commands.project import (
    FAILED,
    JsonOption,
    PartitionOption,
    pipeline_of,
    project_of,
    start_reader,
    targets_of,
)
from spatial_pipeline.commands.terminal import (
    WRONG,
    print_json,
    print_rich,
    progress_bars,
    say,
    wrong,
)
from spatial_pipeline.errors import SpatialPipelineError
from spatial_pipeline.runtime.event_loop import run_sync

if TYPE_CHECKING:
    from spatial_pipeline.contract.models import Contract
    from spatial_pipeline.report.checked import Checked


def check(
    contracts: Annotated[
        list[Path],
        typer.Argument(metavar="CONTRACT|FOLDER", help="Contract files, or folders of them."),
    ],
    as_json: JsonOption = False,
    html: Annotated[
        Path | None, typer.Option(metavar="F", help="Write an HTML report with results and maps.")
    ] = None,
    violations: Annotated[
        Path | None,
        typer.Option(metavar="F", help="Write all violations as a layer (.gpkg or .parquet)."),
    ] = None,
    junit: Annotated[
        Path | None, typer.Option(metavar="F", help="Write the results as JUnit XML.")
    ] = None,
    sarif: Annotated[
        Path | None, typer.Option(metavar="F", help="Write the results as SARIF 2.1.0.")
    ] = None,
    quarantine: Annotated[
        Path | None,
        typer.Option(metavar="F", help="Write the features that violate a blocking rule."),
    ] = None,
    write_baseline: Annotated[
        bool,
        typer.Option(
            "--write-baseline", help="Write all current violations to the rules' baseline files."
        ),
    ] = False,
    rule: Annotated[
        list[str] | None,
        typer.Option(metavar="NAME", help="Check only this rule. Can be repeated."),
    ] = None,
    partition: PartitionOption = None,
    jobs: Annotated[
        int | None,
        typer.Option(min=1, metavar="N", help="Number of worker threads. Default: all cores."),
    ] = None,
) -> None:
    """Ingest and check datasets without Dagster or a database. Nothing is published."""
    from spatial_pipeline.commands.outputs import Outputs

    outputs = Outputs(html, violations, junit, sarif, quarantine)
    if outputs.mistake():
        wrong(outputs.mistake())
    own, neighbours = project_of(contracts, as_json)
    targets = targets_of(own, partition, rule or ())
    start_reader()

    from dataclasses import replace

    from spatial_pipeline.pipeline.batch_check import check_all
    from spatial_pipeline.report.checked import as_json as to_json

    pipeline = pipeline_of([*own, *neighbours])
    if jobs is not None:
        pipeline = replace(pipeline, jobs=jobs)
    with progress_bars() as progress:
        context = html is not None
        if write_baseline:
            unaccepted = check_all(pipeline, targets, rule or None, progress, baselines=False)
            _write_baselines(
                [c for c, _ in targets], run_sync(unaccepted, slow=pipeline.slow_callback_s)
            )
        checked = run_sync(
            check_all(pipeline, targets, rule or None, progress, context=context),
            slow=pipeline.slow_callback_s,
        )
    try:
        for said in outputs.write(pipeline, [c for c, _ in targets], checked):
            say(said)
    except OSError as exc:
        wrong(f"cannot write: {exc}")
    if as_json:
        print_json(to_json(checked))
    else:
        from spatial_pipeline.report.summary import check_summary

        print_rich(check_summary(checked))
    mistakes = list(dict.fromkeys(m for c in checked for m in c.mistakes))
    for mistake in mistakes:
        say(mistake)
    if mistakes:
        raise typer.Exit(WRONG)
    raise typer.Exit(0 if checked and all(c.passed for c in checked) else FAILED)


def _write_baselines(contracts: Sequence[Contract], checked: Sequence[Checked]) -> None:
    from spatial_pipeline.pipeline.suppressions import write_baselines

    try:
        written = write_baselines(contracts, checked)
    except (SpatialPipelineError, OSError) as exc:
        wrong(str(exc))
    if not written:
        wrong("none of the checked rules has a baseline: add baseline: accepted.json to a rule")
    for path in written:
        say(f"baseline: {path}")
