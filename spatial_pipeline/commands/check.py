"""The command ``spatial-pipeline check``."""

from __future__ import annotations

import shlex
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, cast

import typer

from spatial_pipeline.commands.project import (
    FAILED,
    JsonOption,
    PartitionOption,
    pipeline_of,
    project_of,
    refused,
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
from spatial_pipeline.errors import ContractError, SpatialPipelineError
from spatial_pipeline.runtime.unused_packages import SINGLE_COMMAND, arrow_without_pandas

if TYPE_CHECKING:
    from spatial_pipeline.commands.outputs import Outputs
    from spatial_pipeline.contract.models import Contract
    from spatial_pipeline.report.checked import Checked


def check(
    contracts: Annotated[
        list[str],
        typer.Argument(
            metavar="CONTRACT|FOLDER|DATA",
            help="Contract files, folders of them, or data to check by --rules.",
        ),
    ],
    rules: Annotated[
        Path | None,
        typer.Option(
            metavar="F",
            help="YAML file with rules for data without a contract: a list of rules, or a contract "
            "of other data.",
        ),
    ] = None,
    layer: Annotated[
        str | None, typer.Option(metavar="NAME", help="Layer of the data that --rules is for.")
    ] = None,
    as_json: JsonOption = False,
    quiet: Annotated[
        bool,
        typer.Option("--quiet", "-q", help="Print mistakes only; the exit code says the rest."),
    ] = False,
    watch: Annotated[
        bool,
        typer.Option(
            "--watch", help="Check again whenever a contract or a source changes, until Ctrl-C."
        ),
    ] = False,
    changed: Annotated[
        bool,
        typer.Option(
            "--changed",
            help="The arguments are changed files: check the contracts among them, and those that "
            "read one of them. Other files are skipped.",
        ),
    ] = False,
    html: Annotated[
        Path | None, typer.Option(metavar="F", help="Write an HTML report with results and maps.")
    ] = None,
    violations: Annotated[
        Path | None,
        typer.Option(metavar="F", help="Write all violations (.gpkg, .parquet, .csv or .xlsx)."),
    ] = None,
    junit: Annotated[
        Path | None, typer.Option(metavar="F", help="Write the results as JUnit XML.")
    ] = None,
    sarif: Annotated[
        Path | None, typer.Option(metavar="F", help="Write the results as SARIF 2.1.0.")
    ] = None,
    iso19157: Annotated[
        Path | None,
        typer.Option(metavar="F", help="Write the results as ISO 19157 data quality (XML)."),
    ] = None,
    quarantine: Annotated[
        Path | None,
        typer.Option(metavar="F", help="Write the features that violate a blocking rule."),
    ] = None,
    proposals: Annotated[
        Path | None,
        typer.Option(
            metavar="F",
            help="Write proposals to repair what was found, as a layer; nothing is changed.",
        ),
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
    """Ingest and check datasets without Dagster or a database. Nothing is published.

    Exit code 0 if all blocking rules passed, 1 if some failed, 2 if the command or a contract has
    a mistake.
    """
    from spatial_pipeline.commands.outputs import Outputs

    outputs = Outputs(html, violations, junit, sarif, quarantine, proposals, iso19157)
    if outputs.mistake():
        wrong(outputs.mistake())
    if changed:
        from spatial_pipeline.commands.changed import concerned

        contracts = [str(c) for c in concerned(map(Path, contracts), Path.cwd())]
        if not contracts:
            say("no contract is concerned")
            raise typer.Exit
    call = CheckCall(
        contracts=tuple(contracts),
        rules=rules,
        layer=layer,
        as_json=as_json,
        quiet=quiet,
        outputs=outputs,
        write_baseline=write_baseline,
        only=tuple(rule or ()),
        partition=partition,
        jobs=jobs,
    )
    if watch:
        from spatial_pipeline.commands.watch import watch_forever

        watch_forever(call.check, call.state, say)
    raise typer.Exit(call.check())


@dataclass(frozen=True)
class CheckCall:
    """One call of the command; the attributes are its arguments and options."""

    contracts: tuple[str, ...]
    rules: Path | None
    layer: str | None
    as_json: bool
    quiet: bool
    outputs: Outputs
    write_baseline: bool
    only: tuple[str, ...]
    partition: str | None
    jobs: int | None

    def check(self) -> int:
        """Checks everything as it is now; the exit code, or typer.Exit after a mistake."""
        own, neighbours = self._selected()
        targets = targets_of(own, self.partition, self.only)
        start_reader(c for c, _ in targets)
        _leave_out_pandas([*own, *neighbours])

        from dataclasses import replace

        from spatial_pipeline.pipeline.batch_check import check_all
        from spatial_pipeline.report.checked import as_json as to_json
        from spatial_pipeline.runtime.event_loop import run_sync

        pipeline = pipeline_of([*own, *neighbours])
        if self.jobs is not None:
            pipeline = replace(pipeline, jobs=self.jobs)
        only = self.only or None
        chosen = [c for c, _ in targets]
        with progress_bars(quiet=self.quiet) as progress:
            if self.write_baseline:
                unaccepted = check_all(pipeline, targets, only, progress, baselines=False)
                _write_baselines(chosen, run_sync(unaccepted, slow=pipeline.slow_callback_s))
            context = self.outputs.html is not None
            checked = run_sync(
                check_all(pipeline, targets, only, progress, context=context),
                slow=pipeline.slow_callback_s,
            )
        try:
            for written in self.outputs.write(pipeline, chosen, checked):
                if not self.quiet:
                    say(written)
        except OSError as exc:
            wrong(f"cannot write: {exc}")
        if self.as_json:
            print_json(to_json(checked))
        elif not self.quiet:
            from spatial_pipeline.report.summary import check_summary

            print_rich(check_summary(checked))
        mistakes = list(dict.fromkeys(m for c in checked for m in c.mistakes))
        for mistake in mistakes:
            say(mistake)
        if mistakes:
            return WRONG
        return 0 if checked and all(c.passed for c in checked) else FAILED

    def state(self) -> object:
        """A value that changes when a file of a contract, or a source, changes."""
        from spatial_pipeline.commands.watch import state_of
        from spatial_pipeline.contract.load import load_project

        paths = [Path(c) for c in self.contracts]
        try:
            own, neighbours = self._loaded(load_project)
        except ContractError:
            own, neighbours = [], []
        rules = () if self.rules is None else (self.rules,)
        return state_of([*paths, *rules], [*own, *neighbours], self.partition)

    def _selected(self) -> tuple[list[Contract], list[Contract]]:
        """The contracts, and the neighbours that they refer to; exits on mistakes."""
        try:
            return self._loaded(lambda paths: project_of(paths, self.as_json))
        except ContractError as exc:
            refused(exc, self.as_json)

    def _loaded(
        self, load: Callable[[list[Path]], tuple[list[Contract], list[Contract]]]
    ) -> tuple[list[Contract], list[Contract]]:
        from spatial_pipeline.contract.rule_file import contract_for, is_data

        data = [c for c in self.contracts if is_data(c)]
        paths = [Path(c) for c in self.contracts if c not in data]
        if data and self.rules is None:
            wrong(_no_contract(data[0]))
        if self.rules is not None and not data:
            wrong("--rules is for data: name a file or a URI; contracts have rules of their own")
        if self.layer is not None and not data:
            wrong("--layer is for data that --rules checks; a contract has source.layer")
        own, neighbours = load(paths) if paths else ([], [])
        for source in data:
            names = [c.name for c in (*own, *neighbours)]
            own = [*own, contract_for(source, cast("Path", self.rules), self.layer, names)]
        return own, neighbours


def _leave_out_pandas(contracts: Sequence[Contract]) -> None:
    """Spares a process that runs nothing but this command the import of pandas.

    Rules of users' own projects may use it.
    """
    from spatial_pipeline.contract.rules.catalogue import only_own_rules

    if SINGLE_COMMAND.is_set() and only_own_rules(contracts):
        arrow_without_pandas()


def _no_contract(source: str) -> str:
    """The ways from data to a check."""
    from spatial_pipeline.contract.rule_file import dataset_name

    quoted, contract = shlex.quote(source), f"{dataset_name(source)}.yaml"
    return (
        f"{source} is data, and no contract says what it must satisfy. Infer one, then check it:\n"
        f"  spatial-pipeline profile {quoted} > {contract}\n"
        f"  spatial-pipeline check {contract}\n"
        f"or give a file of rules:\n"
        f"  spatial-pipeline check {quoted} --rules rules.yaml"
    )


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
