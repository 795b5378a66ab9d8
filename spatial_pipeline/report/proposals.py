"""Layer of repair proposals: features as they could be, with area and vertices before and after."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyproj
import shapely
from numpy.typing import NDArray

from spatial_pipeline.model.result import Result
from spatial_pipeline.report import layers, violations
from spatial_pipeline.report.geopackage import write_layers
from spatial_pipeline.runtime.json_text import json_text

SCHEMA = pa.schema(
    [
        pa.field("dataset", pa.string()),
        pa.field("rule", pa.string()),
        pa.field("name", pa.string()),
        pa.field("action", pa.string()),
        pa.field("row", pa.int64()),
        pa.field("key", pa.string()),
        pa.field("area_before", pa.float64()),
        pa.field("area_after", pa.float64()),
        pa.field("vertices_before", pa.int64()),
        pa.field("vertices_after", pa.int64()),
        pa.field(violations.GEOMETRY, pa.binary()),
    ]
)
"""Columns of the layer; ``geometry`` is null where the proposal is to remove the feature."""
LAYER = "proposals"


def to_table(
    dataset: str,
    result: Result,
    action: NDArray[np.object_],
    rows: NDArray[np.int64],
    keys: Sequence[Sequence[object]],
    before: NDArray[np.object_],
    after: NDArray[np.object_],
) -> pa.Table:
    """Proposals of one rule.

    Args:
        dataset: title of the dataset.
        result: result of the rule.
        action: (n,) what is proposed.
        rows: (n,) source rows.
        keys: (n,) key of each feature, or its row.
        before: (n,) geometries as they are.
        after: (n,) geometries as proposed; None to remove the feature.

    """
    n = len(rows)
    gone = np.full(n, None, dtype=object)
    there = ~shapely.is_missing(after)
    empty = shapely.from_wkt("GEOMETRYCOLLECTION EMPTY")
    sized = np.where(there, after, empty)
    wkb = np.where(there, shapely.to_wkb(after, flavor="iso"), gone)
    return pa.table(
        {
            "dataset": [dataset] * n,
            "rule": [result.rule] * n,
            "name": [result.name] * n,
            "action": action.tolist(),
            "row": rows,
            "key": [violations.text(json_text(k)) for k in keys],
            "area_before": shapely.area(before),
            "area_after": shapely.area(sized),
            "vertices_before": shapely.get_num_coordinates(before).astype(np.int64),
            "vertices_after": shapely.get_num_coordinates(sized).astype(np.int64),
            violations.GEOMETRY: wkb.tolist(),
        },
        schema=SCHEMA,
    )


def export(tables: Sequence[tuple[pa.Table, pyproj.CRS | None]], path: Path) -> list[Path]:
    """Writes the proposals; the file extension selects GeoPackage or GeoParquet.

    One layer a CRS, as :func:`spatial_pipeline.report.violations.export` does; an empty one without
    any proposal.

    Raises:
        OSError: the file cannot be written.

    """
    made = [violations.with_crs(table, crs) for table, crs in tables]
    found = layers.by_crs(made or [violations.with_crs(SCHEMA.empty_table(), None)])
    return layers.write(found, path, LAYER, write_layers)


__all__ = ["LAYER", "SCHEMA", "export", "to_table"]
