"""The command line: ``spatial-pipeline``.

Exit codes: 0 all blocking rules passed, 1 some failed, 2 the call or a contract is wrong.
"""

from __future__ import annotations

import logging
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from spatial_pipeline import cli_accept
from spatial_pipeline.alert_cli import add_commands
from spatial_pipeline.errors import ContractError, SpatialPipelineError
from spatial_pipeline.runtime import run_sync
from spatial_pipeline.terminal import WRONG
from spatial_pipeline.terminal import print_json as _print_json
from spatial_pipeline.terminal import print_rich as _print
from spatial_pipeline.terminal import progress as _progress
from spatial_pipeline.terminal import say as _say
from spatial_pipeline.terminal import wrong as _wrong

if TYPE_CHECKING:
    from spatial_pipeline.contract.models import Contract
    from spatial_pipeline.report.checked import Checked
    from spatial_pipeline.run import Pipeline

FAILED = 1

app = typer.Typer(
    help="Spatial data contracts: ingest, prove, and publish only what was proven.",
    no_args_is_help=True,
    add_completion=False,
    pretty_exceptions_enable=False,
    rich_markup_mode=None,
)
add_commands(app)

JsonOption = Annotated[
    bool, typer.Option("--json", help="Print one JSON object on stdout and nothing else there.")
]
PartitionOption = Annotated[str | None, typer.Option(metavar="KEY", help="Only this partition.")]
ContractsOption = Annotated[
    list[Path] | None,
    typer.Option(
        metavar="PATH",
        help="File or folder of contracts; the contracts of this package's defs unless given.",
    ),
]


@app.command()
def check(
    contracts: Annotated[
        list[Path], typer.Argument(metavar="CONTRACT|FOLDER", help="Contracts to check.")
    ],
    as_json: JsonOption = False,
    html: Annotated[
        Path | None, typer.Option(metavar="F", help="Write a page with results and maps.")
    ] = None,
    violations: Annotated[
        Path | None, typer.Option(metavar="F", help="Write all violations: .gpkg or .parquet.")
    ] = None,
    junit: Annotated[
        Path | None, typer.Option(metavar="F", help="Write the results as JUnit XML.")
    ] = None,
    sarif: Annotated[
        Path | None, typer.Option(metavar="F", help="Write the results as SARIF 2.1.0.")
    ] = None,
    quarantine: Annotated[
        Path | None,
        typer.Option(metavar="F", help="Write the features that a blocking rule named."),
    ] = None,
    write_baseline: Annotated[
        bool,
        typer.Option("--write-baseline", help="Accept what there is now in the rules' baselines."),
    ] = False,
    rule: Annotated[
        list[str] | None, typer.Option(metavar="NAME", help="Only this rule; may be repeated.")
    ] = None,
    partition: PartitionOption = None,
    jobs: Annotated[
        int | None, typer.Option(min=1, metavar="N", help="Worker threads; all cores unless given.")
    ] = None,
) -> None:
    """Ingest and check, without Dagster or a database; nothing is published."""
    from spatial_pipeline.outputs import Outputs

    outputs = Outputs(html, violations, junit, sarif, quarantine)
    if outputs.mistake():
        _wrong(outputs.mistake())
    own, neighbours = _project(contracts, as_json)
    targets = _targets(own, partition, rule or ())

    from dataclasses import replace

    from spatial_pipeline.checking import check_all
    from spatial_pipeline.report.checked import as_json as to_json

    pipeline = _pipeline([*own, *neighbours])
    if jobs is not None:
        pipeline = replace(pipeline, jobs=jobs)
    with _progress() as progress:
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
            _say(said)
    except OSError as exc:
        _wrong(f"cannot write: {exc}")
    if as_json:
        _print_json(to_json(checked))
    else:
        from spatial_pipeline.report.summary import check_summary

        _print(check_summary(checked))
    raise typer.Exit(0 if checked and all(c.passed for c in checked) else FAILED)


@app.command()
def profile(
    source: Annotated[
        str, typer.Argument(metavar="SOURCE", help="File, archive, package:// or database.")
    ],
    layer: Annotated[
        str | None, typer.Option(metavar="NAME", help="Layer of a container with several.")
    ] = None,
) -> None:
    """Print a contract inferred from the data: what it is like and which rules it keeps."""
    from spatial_pipeline.profiling import infer

    try:
        inferred = run_sync(infer(_pipeline([]), source, layer))
    except SpatialPipelineError as exc:
        _wrong(str(exc))
    typer.echo(inferred.text(), nl=False)
    raise typer.Exit(0 if inferred.sound else FAILED)


@app.command()
def rules(
    identity: Annotated[
        str | None, typer.Argument(metavar="ID", help="Show this rule with its parameters.")
    ] = None,
    as_json: JsonOption = False,
) -> None:
    """The rule catalogue, or one rule with its parameters, scope and ISO 19157 element."""
    from spatial_pipeline.contract.rules import CATALOGUE
    from spatial_pipeline.contract.words import closest
    from spatial_pipeline.report.catalogue import catalogue_table, rule_json, rule_page

    if identity is None:
        if as_json:
            _print_json({"rules": [rule_json(m) for m in CATALOGUE.values()]})
        else:
            _print(catalogue_table())
        return
    model = CATALOGUE.get(identity)
    if model is None:
        _wrong(f"there is no rule {identity!r}{closest(identity, CATALOGUE).hint}")
    if as_json:
        _print_json(rule_json(model))
    else:
        _print(rule_page(model))


@app.command()
def schema() -> None:
    """JSON schema of a contract file, for editors."""
    from spatial_pipeline.contract.schema import schema as contract_schema

    _print_json(contract_schema())


@app.command()
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
    own, neighbours = _project(contracts or _defs(), as_json)
    everything = [*own, *neighbours]
    for name in datasets or ():
        _named(everything, name)
    chosen = [c for c in own if not datasets or c.name in datasets]
    _targets(chosen, partition, (), open_ended=True)
    _pipeline(everything)

    from spatial_pipeline.orchestration.materialize import materialize

    rows = []
    logging.disable(logging.NOTSET if verbose else logging.CRITICAL)
    try:
        for row in materialize(everything, datasets or [c.name for c in own], partition):
            name = row.dataset if row.partition is None else f"{row.dataset}[{row.partition}]"
            _say(f"{name}: {'published' if row.published else 'held'}")
            rows.append((name, row))
    finally:
        logging.disable(logging.NOTSET)
    if as_json:
        _print_json(
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

        _print(
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


@app.command()
def rollback(
    dataset: Annotated[str, typer.Argument(metavar="DATASET", help="Name of the dataset.")],
    partition: PartitionOption = None,
    to: Annotated[
        str | None,
        typer.Option(metavar="VERSION", help="The version before the current one unless given."),
    ] = None,
    contracts: ContractsOption = None,
) -> None:
    """Publish an earlier version again, if it passes the contract of today."""
    own, neighbours = _project(contracts or _defs(), as_json=False)
    everything = [*own, *neighbours]
    contract = _named(everything, dataset)
    if partition is not None and contract.partitions is None:
        _wrong(f"{dataset} has no partitions")
    if partition is None and contract.partitions is not None:
        _wrong(f"{dataset} is partitioned: give --partition KEY")
    pipeline = _pipeline(everything)
    try:
        publication = run_sync(
            pipeline.roll_back(contract, partition, to), slow=pipeline.slow_callback_s
        )
    except SpatialPipelineError as exc:
        _say(f"{dataset}: {exc}")
        raise typer.Exit(FAILED) from exc
    where = "" if partition is None else f"[{partition}]"
    typer.echo(f"{dataset}{where}: readers see {publication.version} again")


app.command()(cli_accept.accept)


def main() -> None:
    """Entry point."""
    logging.basicConfig(stream=sys.stderr, level=logging.WARNING, format="%(message)s")
    logging.captureWarnings(capture=True)
    app()


def _project(paths: Sequence[Path], as_json: bool) -> tuple[list[Contract], list[Contract]]:
    """The contracts of some paths and the neighbours that they refer to; exits on mistakes."""
    from spatial_pipeline.contract.load import load_project

    try:
        return load_project(paths)
    except ContractError as exc:
        mistakes = str(exc).splitlines()
        for mistake in mistakes:
            _say(mistake)
        count = len(mistakes)
        _say(f"{count} mistake{'s' if count > 1 else ''}; nothing was done")
        if as_json:
            _print_json({"datasets": [], "mistakes": mistakes})
        raise typer.Exit(WRONG) from exc


def _targets(
    contracts: Sequence[Contract],
    partition: str | None,
    rules: Sequence[str],
    *,
    open_ended: bool = False,
) -> list[tuple[Contract, str | None]]:
    """The contracts and partitions that are meant; exits when nothing is."""
    from spatial_pipeline.contract.partitions import keys_of, partition_mistake
    from spatial_pipeline.contract.words import closest

    names = list(dict.fromkeys(r.check_name for c in contracts for r in c.effective_rules))
    for rule in rules:
        if rule not in names:
            _wrong(f"no contract has a rule named {rule!r}{closest(rule, names).hint}")
    partitioned = [c for c in contracts if c.partitions is not None]
    refusals = {
        c.name: mistake
        for c in partitioned
        if partition is not None and (mistake := partition_mistake(c, partition))
    }
    if partition is not None and len(refusals) == len(partitioned):
        _wrong("; ".join(refusals.values()) or "no dataset has partitions")
    targets: list[tuple[Contract, str | None]] = []
    for contract in contracts:
        if rules and not {r.check_name for r in contract.effective_rules} & set(rules):
            continue
        if contract.name in refusals:
            _say(f"left out: {refusals[contract.name]}")
        elif contract.partitions is None or partition is not None:
            targets.append((contract, None if contract.partitions is None else partition))
        else:
            keys = keys_of(contract)
            if keys is None and not open_ended:
                _wrong(f"the partitions of {contract.name} are not fixed: give --partition KEY")
            targets += [(contract, key) for key in keys or ()]
    return targets


def _write_baselines(contracts: Sequence[Contract], checked: Sequence[Checked]) -> None:
    from spatial_pipeline.acceptance import write_baselines

    try:
        written = write_baselines(contracts, checked)
    except (SpatialPipelineError, OSError) as exc:
        _wrong(str(exc))
    if not written:
        _wrong("no rule that was checked names a baseline: baseline: accepted.json")
    for path in written:
        _say(f"baseline: {path}")


def _named(contracts: Sequence[Contract], name: str) -> Contract:
    from spatial_pipeline.contract.words import closest

    by_name = {c.name: c for c in contracts}
    if name not in by_name:
        _wrong(f"there is no dataset {name!r}{closest(name, by_name).hint}")
    return by_name[name]


def _pipeline(contracts: Sequence[Contract]) -> Pipeline:
    """The pipeline in the environment's store; exits when the environment is wrong."""
    from pydantic import ValidationError
    from pydantic_settings import SettingsError

    from spatial_pipeline.run import Pipeline
    from spatial_pipeline.settings import Settings

    try:
        return Pipeline.of(contracts, Settings())
    except ValidationError as exc:
        said = "; ".join(
            f"SPATIAL_{'_'.join(map(str, e['loc'])).upper()}: {e['msg']}" for e in exc.errors()
        )
        _wrong(said)
    except (SettingsError, SpatialPipelineError) as exc:
        _wrong(str(exc))


def _defs() -> list[Path]:
    return [Path(__file__).parent / "defs"]
