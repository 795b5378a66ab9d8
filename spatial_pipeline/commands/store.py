"""The commands ``spatial-pipeline store``."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from spatial_pipeline.commands.project import FAILED, JsonOption, project_of, settings
from spatial_pipeline.commands.terminal import (
    print_json,
    print_rich,
    print_text,
    results_only,
    say,
    wrong,
)
from spatial_pipeline.errors import SpatialPipelineError

if TYPE_CHECKING:
    from spatial_pipeline.contract.retention import Retention
    from spatial_pipeline.pipeline.retention import PrunedPartition

store = typer.Typer(
    help="Verify the store, and delete old versions.",
    no_args_is_help=True,
    rich_markup_mode=None,
)
KIB = 1024
DatasetsArgument = Annotated[
    list[str] | None,
    typer.Argument(metavar="[DATASET…]", help="Datasets. Default: all."),
]


@store.command("verify")
@results_only
def verify(datasets: DatasetsArgument = None, as_json: JsonOption = False) -> None:
    """Verify all pointers, versions, digests, seals, tables and the ledger. Nothing is changed.

    Exit code 1 if readers may see or miss something because of a defect. Exit code 0 if everything
    is right, or the next run repairs what is not.
    """
    from rich.markup import escape

    from spatial_pipeline.pipeline.pipeline import database_of
    from spatial_pipeline.pipeline.store_audit import verify_store
    from spatial_pipeline.report.tables import terminal_table
    from spatial_pipeline.runtime.event_loop import run_sync
    from spatial_pipeline.store.versions import Store

    environment = settings()
    try:
        folder = Store(environment.store)
        _known(folder.root, datasets or (), [p.name for p in folder.root.glob("*")])
        report = run_sync(verify_store(folder, database_of(environment), datasets or ()))
    except SpatialPipelineError as exc:
        wrong(str(exc))
    failed = report.harmed or report.database not in {"verified", "not configured"}
    if as_json:
        print_json(
            {
                "store": str(folder.root),
                "partitions": report.partitions,
                "versions": report.versions,
                "database": report.database,
                "sound": not failed,
                "defects": [
                    {
                        "dataset": d.dataset,
                        "partition": d.partition,
                        "version": d.version,
                        "problem": d.problem,
                        "remedy": d.remedy,
                        "harms": d.harms,
                    }
                    for d in report.defects
                ],
            }
        )
        raise typer.Exit(FAILED if failed else 0)
    if report.defects:
        table = terminal_table("What", "Problem", "What to do", wrap=2)
        for defect in report.defects:
            note = "" if defect.harms else " (harmless)"
            table.add_row(*map(escape, (defect.title, defect.problem + note, defect.remedy)))
        print_rich(table)
    count = len(report.defects)
    said = f"{count} defect{'' if count == 1 else 's'}" if count else "everything is right"
    print_text(
        f"{report.versions} versions of {report.partitions} partitions, database"
        f" {report.database}: {said}\n"
    )
    raise typer.Exit(FAILED if failed else 0)


@store.command("prune")
@results_only
def prune(
    datasets: DatasetsArgument = None,
    keep: Annotated[
        int | None,
        typer.Option(
            min=1,
            metavar="N",
            help="Keep this number of versions that were published before the current one.",
        ),
    ] = None,
    days: Annotated[
        int | None,
        typer.Option(
            min=0,
            metavar="D",
            help="Keep every version for this number of days after it was last needed.",
        ),
    ] = None,
    contracts: Annotated[
        list[Path] | None,
        typer.Option(
            metavar="PATH",
            help="File or folder of contracts. Their retention applies where --keep and --days are "
            "not given.",
        ),
    ] = None,
    dry_run: Annotated[
        bool, typer.Option("--dry-run", help="List what would be deleted, and delete nothing.")
    ] = False,
    as_json: JsonOption = False,
) -> None:
    """Delete versions that neither readers nor a rollback need, from the store and the database.

    Exit code 1 if a partition could not be pruned.
    """
    from spatial_pipeline.pipeline.pipeline import database_of
    from spatial_pipeline.pipeline.retention import prune_versions, targets
    from spatial_pipeline.runtime.event_loop import run_sync
    from spatial_pipeline.store.versions import Store

    environment = settings()
    try:
        folder = Store(environment.store, environment.lock_timeout_s)
        retention = _retention(keep, days, contracts, as_json, folder.datasets())
        _known(folder.root, datasets or (), list(retention))
        wanted = [t for t in targets(folder, retention) if not datasets or t.dataset in datasets]
        done = run_sync(prune_versions(folder, database_of(environment), wanted, dry_run=dry_run))
    except SpatialPipelineError as exc:
        wrong(str(exc))
    freed = sum(p.freed for p in done)
    failed = any(p.error for p in done)
    if as_json:
        print_json({"dry_run": dry_run, "bytes": freed, "partitions": [p.to_json() for p in done]})
        raise typer.Exit(FAILED if failed else 0)
    _print(done)
    count = sum(len(p.files.removed) for p in done)
    verb = "would be" if dry_run else "were"
    print_text(f"{count} versions {verb} deleted, {shown_size(freed)}\n")
    raise typer.Exit(FAILED if failed else 0)


def shown_size(size: float) -> str:
    """Bytes for people."""
    for unit in ("B", "KiB", "MiB", "GiB"):
        if size < KIB:
            return f"{size:.0f} {unit}" if unit == "B" else f"{size:.1f} {unit}"
        size /= KIB
    return f"{size:.1f} TiB"


def _print(done: list[PrunedPartition]) -> None:
    from datetime import UTC, datetime

    from rich.markup import escape

    from spatial_pipeline.report.tables import terminal_table

    table = terminal_table("Version", "Was", "Not needed since (UTC)", "Size")
    for part in done:
        for removal in part.files.removed:
            since = f"{datetime.fromtimestamp(removal.since, UTC):%Y-%m-%d %H:%M}"
            cells = (str(removal.version), removal.was, since, shown_size(removal.size))
            table.add_row(*map(escape, cells))
        for name in part.tables.parts:
            table.add_row(*map(escape, (name, "part of a table", "", "")))
        said = [part.error] if part.error else []
        for reason in [*said, *part.stays]:
            say(f"{part.files.title}: {'not pruned: ' if part.error else ''}{reason}")
    if table.row_count:
        print_rich(table)


def _retention(
    keep: int | None,
    days: int | None,
    contracts: list[Path] | None,
    as_json: bool,
    stored: list[str],
) -> dict[str, Retention]:
    """Retention by dataset: the options count more than contracts."""
    from spatial_pipeline.contract.retention import Retention

    written: dict[str, Retention] = {}
    if contracts:
        own = project_of(contracts, as_json)[0]
        written = {c.name: c.retention for c in own if c.retention is not None}
        names = [c.name for c in own]
    else:
        names = stored
    asked = {k: v for k, v in (("keep", keep), ("days", days)) if v is not None}
    if not asked and not written:
        wrong("no limit is given: use --keep and --days, or contracts with `retention`")
    if not asked:
        return written
    return {n: written.get(n, Retention()).model_copy(update=asked) for n in names if n in stored}


def _known(root: Path, datasets: list[str] | tuple[str, ...], names: list[str]) -> None:
    from spatial_pipeline.contract.spelling import closest

    for name in datasets:
        if name not in names:
            wrong(f"there is no dataset {name!r} in {root}{closest(name, names).hint}")
