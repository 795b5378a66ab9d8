"""The command ``spatial-pipeline report``."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from spatial_pipeline.commands.completion import complete_dataset
from spatial_pipeline.commands.project import PartitionOption, settings
from spatial_pipeline.commands.terminal import print_text, wrong
from spatial_pipeline.errors import SpatialPipelineError


def report(
    datasets: Annotated[
        list[str] | None,
        typer.Argument(
            metavar="DATASET",
            help="Names of datasets. Default: everything in the store.",
            autocompletion=complete_dataset,
        ),
    ] = None,
    html: Annotated[Path, typer.Option(metavar="F", help="HTML file to write.")] = Path(
        "report.html"
    ),
    partition: PartitionOption = None,
) -> None:
    """Write an HTML report of the store: verdicts, violations on maps, and history.

    Nothing is ingested or checked: the report shows what the last runs and checks found.
    """
    from datetime import UTC, datetime

    from spatial_pipeline.contract.spelling import closest
    from spatial_pipeline.pipeline.held import partitions
    from spatial_pipeline.pipeline.store_report import store_report
    from spatial_pipeline.report.html import page
    from spatial_pipeline.store.versions import Store

    if not html.absolute().parent.is_dir():
        wrong(f"{html}: the folder {html.parent} does not exist")
    try:
        store = Store(settings().store)
        known = store.datasets()
        for name in datasets or ():
            if name not in known:
                wrong(f"there is no dataset {name!r} in {store.root}{closest(name, known).hint}")
        places = partitions(store, datasets or None)
        if partition is not None:
            keys = [key for _, key in places if key is not None]
            places = [place for place in places if place[1] == partition]
            if not places:
                wrong(f"there is no partition {partition!r}{closest(partition, keys).hint}")
        made_at = datetime.now(UTC).isoformat(timespec="seconds")
        text = page(list(store_report(store, places)), made_at, "Spatial data in the store")
        html.write_text(text, encoding="utf-8")
    except (SpatialPipelineError, OSError) as exc:
        wrong(str(exc))
    print_text(f"report: {html}\n")
