"""The commands ``history``, ``show`` and ``diff``, about the versions of a dataset in the store."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from spatial_pipeline.commands.completion import (
    complete_dataset,
    complete_partition,
    complete_version,
)
from spatial_pipeline.commands.project import FAILED, JsonOption, settings
from spatial_pipeline.commands.terminal import print_json, print_rich, print_text, say, wrong
from spatial_pipeline.errors import SpatialPipelineError

if TYPE_CHECKING:
    from collections.abc import Sequence

    from rich.console import RenderableType

    from spatial_pipeline.model.profile import Profile
    from spatial_pipeline.model.result import Result
    from spatial_pipeline.model.version import Version
    from spatial_pipeline.pipeline.version_difference import VersionDifference
    from spatial_pipeline.pipeline.version_history import VersionRecord
    from spatial_pipeline.store.versions import Store

DatasetArgument = Annotated[
    str,
    typer.Argument(metavar="DATASET", help="Name of the dataset.", autocompletion=complete_dataset),
]
KeyOption = Annotated[
    str | None,
    typer.Option(
        "--partition",
        metavar="KEY",
        help="Partition of the dataset. Needed if it has several.",
        autocompletion=complete_partition,
    ),
]
VERSION_HELP = "Version: its ID or the beginning of it, published, previous or latest."


def history(
    dataset: DatasetArgument, partition: KeyOption = None, as_json: JsonOption = False
) -> None:
    """List the versions of a dataset, latest first.

    Each has a state and the rules that failed, with the number of their violations.
    """
    from rich.markup import escape

    from spatial_pipeline.pipeline.version_history import version_history
    from spatial_pipeline.report.tables import terminal_table

    store, key = _opened(dataset, partition)
    try:
        records = version_history(store, dataset, key)
    except SpatialPipelineError as exc:
        wrong(str(exc))
    if as_json:
        print_json({"dataset": dataset, "versions": [r.to_json() for r in records]})
        return
    table = terminal_table("Version", "State", "Staged (UTC)", "Failed rules")
    for record in records:
        failed = ", ".join(r.name + _count(r) for r in record.failed)
        cells = (record.version.id, record.state, _time(record.staged_at), failed)
        table.add_row(*map(escape, cells))
    print_rich(table)


def show(
    dataset: DatasetArgument,
    version: Annotated[
        str,
        typer.Argument(metavar="[VERSION]", help=VERSION_HELP, autocompletion=complete_version),
    ] = "latest",
    partition: KeyOption = None,
    as_json: JsonOption = False,
    stac: Annotated[
        bool, typer.Option("--stac", help="Print a STAC item of the version instead.")
    ] = False,
    iso19157: Annotated[
        Path | None,
        typer.Option(metavar="F", help="Write the results as ISO 19157 data quality (XML)."),
    ] = None,
) -> None:
    """Show one version of a dataset.

    Its source, content and state are printed, and the result of each rule.
    """
    from spatial_pipeline.pipeline.version_history import find_version, version_record
    from spatial_pipeline.report.summary import profile_summary

    store, key = _opened(dataset, partition)
    try:
        found = find_version(store, dataset, key, version)
        if iso19157 is not None:
            _write_iso19157(store, found, iso19157)
        if stac:
            from spatial_pipeline.pipeline.stac_export import stac_item_of

            print_json(stac_item_of(store, found, settings().store_url))
            return
        record = version_record(store, found, store.published(dataset, key))
        profile = store.profile(found)
        file = store.data_path(found)
    except (SpatialPipelineError, OSError) as exc:
        wrong(str(exc))
    facts = {
        "source": _source(profile),
        "content": profile.error or profile_summary(profile),
        "file": str(file) if file.exists() else "none",
        "state": record.state,
        "staged": _time(record.staged_at) + " UTC",
    }
    if record.published_at is not None:
        facts["published"] = _time(record.published_at) + " UTC"
    if as_json:
        results = () if record.verdict is None else record.verdict.results
        more = {"facts": facts, "results": [r.to_json() for r in results]}
        print_json(record.to_json() | {"dataset": dataset} | more)
        return
    print_rich(_page(record, facts))


def diff(
    dataset: DatasetArgument,
    before: Annotated[
        str,
        typer.Argument(metavar="[A]", help=VERSION_HELP, autocompletion=complete_version),
    ] = "published",
    after: Annotated[
        str, typer.Argument(metavar="[B]", help="The same.", autocompletion=complete_version)
    ] = "latest",
    key: Annotated[
        list[str] | None,
        typer.Option(
            metavar="COLUMN",
            help="Column that identifies a feature. Can be repeated. Default: the key of the "
            "contract, else features are joined by their geometry.",
        ),
    ] = None,
    layer: Annotated[
        Path | None,
        typer.Option(metavar="F", help="Write all differences (.gpkg, .parquet, .csv or .xlsx)."),
    ] = None,
    html: Annotated[
        Path | None, typer.Option(metavar="F", help="Write an HTML page with a map of the changes.")
    ] = None,
    contracts: Annotated[
        list[Path] | None,
        typer.Option(
            metavar="PATH",
            help="File or folder of contracts, for the key. Default: SPATIAL_CONTRACTS, or the "
            "demo datasets.",
        ),
    ] = None,
    partition: KeyOption = None,
    as_json: JsonOption = False,
) -> None:
    """Compare two versions of a dataset.

    The schema, the results of the rules, and the data are compared. Exit code 1 if they differ.
    """
    from datetime import UTC, datetime

    from spatial_pipeline.commands.outputs import Outputs
    from spatial_pipeline.pipeline.version_difference import version_difference
    from spatial_pipeline.pipeline.version_history import find_version
    from spatial_pipeline.runtime.event_loop import run_sync

    if mistake := Outputs(html=html, violations=layer).mistake():
        wrong(mistake)
    store, place = _opened(dataset, partition)
    try:
        a, b = (find_version(store, dataset, place, name) for name in (before, after))
        columns = key or _key_of(dataset, contracts)
        found = run_sync(version_difference(store, a, b, columns), slow=None)
        if layer is not None:
            from spatial_pipeline.pipeline.batch_check import export_violations

            for written in export_violations([found.checked], layer):
                say(f"layer: {written}")
        if html is not None:
            made_at = datetime.now(UTC).isoformat(timespec="seconds")
            html.write_text(found.page(store, made_at), encoding="utf-8")
            say(f"report: {html}")
    except (SpatialPipelineError, OSError) as exc:
        wrong(str(exc))
    if as_json:
        print_json(found.to_json())
    elif found.equal:
        print_text(f"{a.id} and {b.id} of {dataset} are equal\n")
    else:
        print_rich(_differences(found))
    raise typer.Exit(0 if found.equal else FAILED)


def _write_iso19157(store: Store, version: Version, path: Path) -> None:
    from spatial_pipeline.report.iso19157 import data_quality_xml

    verdict = store.verdict(version)
    if verdict is None:
        wrong(f"{version} was never checked, so it has no results")
    title = str(version).partition("@")[0]
    path.write_bytes(data_quality_xml(title, version.id, verdict.results, verdict.checked_at))
    say(f"iso19157: {path}")


def _opened(dataset: str, partition: str | None) -> tuple[Store, str | None]:
    """The store, and the partition that is meant; exits when it has none such."""
    from spatial_pipeline.pipeline.version_history import find_partition
    from spatial_pipeline.store.versions import Store

    try:
        store = Store(settings().store)
        return store, find_partition(store, dataset, partition)
    except SpatialPipelineError as exc:
        wrong(str(exc))


def _key_of(dataset: str, contracts: Sequence[Path] | None) -> tuple[str, ...]:
    """Key columns of the dataset's contract; none where no contract is found by default."""
    from spatial_pipeline.commands.project import named, project_of, samples
    from spatial_pipeline.contract.load import load_datasets
    from spatial_pipeline.errors import ContractError

    if contracts is not None:
        own, neighbours = project_of(contracts, False, [dataset])
        return named([*own, *neighbours], dataset).key_columns
    try:
        own, _, _ = load_datasets(samples(), [dataset])
    except ContractError:
        return ()
    return next((c.key_columns for c in own if c.name == dataset), ())


def _page(record: VersionRecord, facts: dict[str, str]) -> RenderableType:
    from rich.console import Group
    from rich.table import Table
    from rich.text import Text

    from spatial_pipeline.report.summary import verdict_table

    head = Table.grid(padding=(0, 2))
    for name, value in facts.items():
        head.add_row(Text(name, "dim"), Text(value, overflow="fold"))
    parts: list[RenderableType] = [Text(str(record.version), "bold"), head]
    if record.verdict is not None:
        parts += [Text(), verdict_table(record.verdict.results)]
    return Group(*parts)


def _differences(found: VersionDifference) -> RenderableType:
    from rich.text import Text

    from spatial_pipeline.report.tables import terminal_table

    title = Text(f"{found.before} → {found.after.id}", "bold")
    table = terminal_table("What", "Difference", title=title)
    for each in found.schema.differences:
        table.add_row(Text("schema"), Text(str(each)))
    for change in found.rules:
        before, after = (_outcome(r) for r in (change.before, change.after))
        table.add_row(Text(change.name), Text(f"{before} → {after}"))
    if not found.data.passed:
        table.add_row(Text("data"), Text(found.data.message))
    sample = found.data.sample
    for violation in sample:
        keys = ", ".join("/".join(map(str, key)) for key in violation.keys)
        table.add_row(Text(f"  {keys}"), Text(violation.reason))
    if found.data.violations > len(sample):
        table.add_row(Text("  …"), Text(f"{found.data.violations - len(sample)} more: --layer F"))
    return table


def _outcome(result: Result | None) -> str:
    if result is None:
        return "not checked"
    return result.status.value + _count(result)


def _count(result: Result) -> str:
    return f" ({result.violations})" if result.violations else ""


def _source(profile: Profile) -> str:
    layer = getattr(profile, "layer", None)
    return profile.uri if layer is None else f"{profile.uri}, layer {layer}"


def _time(text: str) -> str:
    return text[:16].replace("T", " ")
