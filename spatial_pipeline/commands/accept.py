"""The command ``spatial-pipeline accept``."""

from __future__ import annotations

import shlex
from typing import Annotated

import typer

from spatial_pipeline.commands.completion import complete_dataset
from spatial_pipeline.commands.project import (
    FAILED,
    ContractsOption,
    named,
    pipeline_of,
    project_of,
    samples,
)
from spatial_pipeline.commands.terminal import print_text, say, wrong
from spatial_pipeline.errors import SpatialPipelineError


def accept(
    dataset: Annotated[
        str,
        typer.Argument(
            metavar="DATASET", help="Name of the dataset.", autocompletion=complete_dataset
        ),
    ],
    partition: Annotated[
        str | None,
        typer.Option(metavar="KEY", help="Accept the schema for this partition only."),
    ] = None,
    schema: Annotated[
        str | None,
        typer.Option(
            metavar="FINGERPRINT",
            help="Fingerprint of the schema, as the held run prints it. Default: the only one "
            "that is held.",
        ),
    ] = None,
    by: Annotated[
        str | None, typer.Option(metavar="NAME", help="Your name. Default: your login.")
    ] = None,
    contracts: ContractsOption = None,
) -> None:
    """Accept the changed schema of a held dataset. The next run can then publish it."""
    import getpass

    from spatial_pipeline.contract.partitions import partition_mistake
    from spatial_pipeline.pipeline.schema_approval import accept as accept_schema
    from spatial_pipeline.pipeline.schema_approval import pending

    own, neighbours = project_of(contracts or samples(), False, [dataset])
    everything = [*own, *neighbours]
    contract = named(everything, dataset)
    if partition is not None and (mistake := partition_mistake(contract, partition)):
        wrong(mistake)
    pipeline = pipeline_of(everything)
    try:
        held = pending(pipeline, contract, None if partition is None else [partition])
        for found in held:
            fingerprint = found.evidence.fingerprint
            say(f"{found.version}: schema {fingerprint}: {found.evidence.change}")
        if not held:
            say(f"{dataset}: no version is held because of its schema")
            raise typer.Exit(FAILED)
        chosen = {p.evidence.fingerprint: p for p in held}
        fitting = [p for f, p in chosen.items() if schema is None or f.startswith(schema)]
        if not fitting:
            wrong(f"no version is held because of a schema {schema!r}")
        if len(fitting) > 1:
            wrong("several schemas are held: give --schema FINGERPRINT or --partition KEY")
        accepted = accept_schema(pipeline, contract, partition, fitting[0], by or getpass.getuser())
    except SpatialPipelineError as exc:
        say(f"{dataset}: {exc}")
        raise typer.Exit(FAILED) from exc
    where = "" if partition is None else f"[{partition}]"
    print_text(f"{dataset}{where}: schema {accepted.schema} accepted by {accepted.by}\n")
    chosen_partition = "" if partition is None else f" --partition {shlex.quote(partition)}"
    command = f"spatial-pipeline run {dataset}{chosen_partition}{contract.option}"
    say(f"to publish it, if its rules pass: {command}")
