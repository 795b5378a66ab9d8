"""Shared code of the commands: the selected contracts and partitions, and their pipeline."""

from __future__ import annotations

import difflib
import os
import re
from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, NoReturn, get_args

import typer

from spatial_pipeline.commands.terminal import WRONG, print_json, say, wrong
from spatial_pipeline.errors import ContractError, SpatialPipelineError

if TYPE_CHECKING:
    from pydantic_core import ErrorDetails

    from spatial_pipeline.contract.models import Contract
    from spatial_pipeline.pipeline.pipeline import Pipeline
    from spatial_pipeline.settings import Settings

NEARLY = 0.8
"""Similarity (``difflib``'s ratio) from which a variable counts as a misspelt setting."""
FAILED = 1
"""Exit code: the call was valid, but not everything passed."""

JsonOption = Annotated[
    bool, typer.Option("--json", help="Print the result as one JSON object on stdout.")
]
PartitionOption = Annotated[
    str | None, typer.Option(metavar="KEY", help="Use only this partition.")
]
ContractsOption = Annotated[
    list[Path] | None,
    typer.Option(
        metavar="PATH",
        help="File or folder of contracts. Default: SPATIAL_CONTRACTS, or the demo datasets.",
    ),
]


def project_of(
    paths: Sequence[Path], as_json: bool, names: Sequence[str] = ()
) -> tuple[list[Contract], list[Contract]]:
    """The contracts of some paths and the neighbours that they refer to; exits on mistakes.

    Args:
        paths: files and folders.
        as_json: print mistakes on stdout, too.
        names: selected datasets; mistakes in contracts that these do not need are only counted on
            stderr. All unless given.

    """
    from spatial_pipeline.contract.load import load_datasets, load_project

    try:
        if not names:
            return load_project(paths)
        own, neighbours, others = load_datasets(paths, names)
    except ContractError as exc:
        refused(exc, as_json)
    for other in others:
        say(f"left out: {other}")
    return own, neighbours


def refused(error: ContractError, as_json: bool) -> NoReturn:
    """Prints all mistakes of contracts, and exits."""
    mistakes = str(error).splitlines()
    for mistake in mistakes:
        say(mistake)
    count = len(mistakes)
    say(f"{count} mistake{'s' if count > 1 else ''}; nothing was done")
    if as_json:
        print_json({"datasets": [], "mistakes": mistakes})
    raise typer.Exit(WRONG) from error


def targets_of(
    contracts: Sequence[Contract],
    partition: str | None,
    rules: Sequence[str],
    *,
    open_ended: bool = False,
) -> list[tuple[Contract, str | None]]:
    """The selected contracts and partitions; exits when there are none."""
    from spatial_pipeline.contract.partitions import keys_of, partition_mistake
    from spatial_pipeline.contract.spelling import closest

    names = list(dict.fromkeys(r.check_name for c in contracts for r in c.effective_rules))
    for rule in rules:
        if rule not in names:
            wrong(f"no contract has a rule named {rule!r}{closest(rule, names).hint}")
    partitioned = [c for c in contracts if c.partitions is not None]
    refusals = {
        c.name: mistake
        for c in partitioned
        if partition is not None and (mistake := partition_mistake(c, partition))
    }
    if partition is not None and len(refusals) == len(partitioned):
        whose = ", ".join(c.name for c in contracts)
        verb = "has" if len(contracts) == 1 else "have"
        wrong(
            "; ".join(refusals.values()) or f"{whose} {verb} no partitions: leave out --partition"
        )
    targets: list[tuple[Contract, str | None]] = []
    for contract in contracts:
        if rules and not {r.check_name for r in contract.effective_rules} & set(rules):
            continue
        if contract.name in refusals:
            say(f"left out: {refusals[contract.name]}")
        elif contract.partitions is None or partition is not None:
            targets.append((contract, None if contract.partitions is None else partition))
        else:
            keys = keys_of(contract)
            if keys is None and not open_ended:
                wrong(f"{contract.name} has dynamic partitions: give --partition KEY")
            targets += [(contract, key) for key in keys or ()]
    return targets


def named(contracts: Sequence[Contract], name: str) -> Contract:
    """The contract of a dataset; exits when there is none."""
    from spatial_pipeline.contract.spelling import closest

    by_name = {c.name: c for c in contracts}
    if name not in by_name:
        wrong(f"there is no dataset {name!r}{closest(name, by_name).hint}")
    return by_name[name]


def start_reader(contracts: Iterable[Contract]) -> None:
    """Lets the process that reads foreign files import its libraries while we import ours."""
    from spatial_pipeline.ingest.cage import client

    client.start(*{c.kind for c in contracts})


def pipeline_of(contracts: Sequence[Contract]) -> Pipeline:
    """The pipeline in the environment's store; exits when the environment is wrong."""
    from spatial_pipeline.pipeline.pipeline import Pipeline

    try:
        return Pipeline.of(contracts, settings())
    except SpatialPipelineError as exc:
        wrong(str(exc))


def settings() -> Settings:
    """The environment; exits when it is wrong."""
    from pydantic import ValidationError
    from pydantic_settings import SettingsError

    from spatial_pipeline.settings import Settings

    _warn_of_misspelt_settings()
    try:
        return Settings()
    except ValidationError as exc:
        wrong("; ".join(_setting_mistake(e) for e in exc.errors()))
    except SettingsError as exc:
        wrong(str(exc))


def _setting_mistake(error: ErrorDetails) -> str:
    """A variable that is refused, its value unless that is secret, and what it should be."""
    from pydantic import SecretStr

    from spatial_pipeline.settings import Settings

    name = str(error["loc"][0])
    secret = SecretStr in get_args(Settings.model_fields[name].annotation)
    value = "" if secret else f", got {error['input']!r}"
    said = error["msg"].partition(", unable to parse")[0]
    said = re.sub(r"^Input should be (?:a valid )?", "expected ", said)
    said = {
        "expected integer": "expected a whole number",
        "expected boolean": "expected true or false",
    }.get(said, said)
    return f"SPATIAL_{name.upper()}: {said}{value}"


def _warn_of_misspelt_settings() -> None:
    """Names variables that are nearly settings: a misspelt one would be ignored without a word."""
    from spatial_pipeline.settings import Settings

    known = {f"SPATIAL_{name.upper()}" for name in Settings.model_fields}
    for name in sorted(set(os.environ) - known):
        stem = name.removeprefix("SPATIAL_")
        stems = [k.removeprefix("SPATIAL_") for k in known]
        near = difflib.get_close_matches(stem, stems, n=1, cutoff=NEARLY)
        if stem != name and near:
            say(f"{name} is not a setting, and is ignored; did you mean SPATIAL_{near[0]}?")


def samples() -> list[Path]:
    """The contracts of ``SPATIAL_CONTRACTS``; those that come with this package without it."""
    configured = settings().contracts
    return [configured] if configured is not None else [Path(__file__).parents[1] / "defs"]
