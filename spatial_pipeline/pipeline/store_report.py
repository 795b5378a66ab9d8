"""The versions of a store as report formats take them: nothing is staged or checked for it."""

from __future__ import annotations

import json
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import shapely

from spatial_pipeline.errors import SpatialPipelineError
from spatial_pipeline.model.result import Result
from spatial_pipeline.model.version import Version
from spatial_pipeline.model.violation_runs import AnyViolations
from spatial_pipeline.model.violations import Violations
from spatial_pipeline.pipeline.charted_history import charted_history
from spatial_pipeline.report.checked import Checked
from spatial_pipeline.report.html import limit_of
from spatial_pipeline.report.scene import scene_of
from spatial_pipeline.report.selection import selected
from spatial_pipeline.store.versions import Store

COLUMNS = ("name", "reason", "keys", "measure", "unit", "part", "ring", "vertex", "geometry")


def store_report(store: Store, places: Sequence[tuple[str, str | None]]) -> Iterator[Checked]:
    """The version staged last of each partition, with its stored verdict and violations.

    Args:
        store: the store.
        places: datasets with partition keys.

    Raises:
        StoreError: nothing was staged of a partition.

    """
    limit = limit_of(len(places))
    for dataset, partition in places:
        yield _checked(store, dataset, partition, limit)


def _checked(store: Store, dataset: str, partition: str | None, limit: int) -> Checked:
    version = store.staged_version(dataset, partition)
    verdict = store.verdict(version)
    results = () if verdict is None else verdict.results
    layer = store.path(version) / "violations.parquet"
    found, sizes = stored_violations(layer, limit)
    evaluations = tuple((r, found.get(r.name, Violations.none())) for r in results)
    history = charted_history(store, dataset, partition)
    return Checked(
        dataset,
        partition,
        version.id,
        evaluations,
        store.profile(version),
        scene=_scene(store, version, evaluations, limit),
        history=history.versions,
        readers_see=history.readers_see,
        layer=str(layer) if sizes else "",
        more={name: size - len(found[name]) for name, size in sizes.items()},
    )


def _scene(
    store: Store,
    version: Version,
    evaluations: Sequence[tuple[Result, AnyViolations]],
    limit: int,
) -> Any:
    try:
        return scene_of(store.open(version), [v for _, v in selected(evaluations, limit)])
    except (SpatialPipelineError, OSError, pa.ArrowException):
        return None  # a damaged version still has its results


def stored_violations(layer: Path, limit: int) -> tuple[dict[str, Violations], dict[str, int]]:
    """The first violations of each check in a stored layer, and how many there are.

    Args:
        layer: GeoParquet file of violations; need not exist.
        limit: violations of one check that are read.

    Returns:
        Violations by name of the check, without source rows, and their number.

    """
    parts: dict[str, list[Violations]] = {}
    sizes: dict[str, int] = {}
    try:
        with pq.ParquetFile(layer) as file:
            for batch in file.iter_batches(columns=list(COLUMNS)):
                names = np.asarray(batch.column("name").to_pylist(), dtype=object)
                for name in dict.fromkeys(names.tolist()):
                    where = np.flatnonzero(names == name)
                    wanted = where[: max(0, limit - sizes.get(name, 0))]
                    sizes[name] = sizes.get(name, 0) + len(where)
                    if len(wanted):
                        parts.setdefault(name, []).append(_violations(batch.take(pa.array(wanted))))
    except (OSError, ValueError, KeyError):
        return {}, {}
    return {name: Violations.concat(found) for name, found in parts.items()}, sizes


def _violations(batch: pa.RecordBatch) -> Violations:
    column = {name: batch.column(name).to_pylist() for name in batch.schema.names}

    def index(name: str) -> list[int]:
        return [-1 if v is None else v for v in column[name]]

    return Violations.build(
        np.full(len(batch), -1),
        column["reason"],
        shapely.from_wkb(np.asarray(column["geometry"], dtype=object)),
        np.array([np.nan if v is None else v for v in column["measure"]]),
        next((u for u in column["unit"] if u), ""),
        np.array(index("part")),
        np.array(index("ring")),
        np.array(index("vertex")),
        [tuple(map(tuple, json.loads(k))) for k in column["keys"]],
    )
