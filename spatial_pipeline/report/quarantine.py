"""The features that a blocking rule named, whole, with the reasons, apart from the rest."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
from numpy.typing import NDArray

from spatial_pipeline.model.features import FeatureBatch
from spatial_pipeline.model.violation_runs import parts_of
from spatial_pipeline.report import violations
from spatial_pipeline.report.checked import Checked
from spatial_pipeline.runtime.json_text import json_text

REASONS = "quarantine_reasons"
ROW = "quarantine_row"


def named_rows(checked: Checked) -> dict[int, list[str]]:
    """Source row → what blocking rules that did not pass say of it, in the order of the rules."""
    reasons: dict[int, list[str]] = {}
    for result, findings in checked.evaluations:
        if not result.blocks:
            continue
        for part in parts_of(findings):
            for rows, reason in zip(part.rows.tolist(), part.reasons, strict=True):
                for row in dict.fromkeys(r for r in rows if r >= 0):
                    reasons.setdefault(row, []).append(f"{result.name}: {reason}")
    return dict(sorted(reasons.items()))


def to_table(batch: FeatureBatch, reasons: dict[int, list[str]]) -> pa.Table:
    """The features with all columns, the source row, the reasons as a JSON list, and geometry.

    Args:
        batch: the features of ``reasons``, in that order.
        reasons: see :func:`named_rows`.

    """
    names = _free(batch.table.column_names, {violations.GEOMETRY})
    columns: dict[str, Any] = dict(zip(names, batch.table.columns, strict=True))
    rows: NDArray[np.int64] = batch.rows
    texts = [json_text(r) for r in reasons.values()]
    row_name, reason_name = _free([ROW, REASONS], {n.casefold() for n in names})
    columns[row_name] = pa.array(rows)
    columns[reason_name] = pa.array([violations.text(t) for t in texts], pa.string())
    wkb = pa.nulls(len(rows), pa.binary()) if batch.wkb is None else batch.wkb.cast(pa.binary())
    columns[violations.GEOMETRY] = wkb
    return violations.with_crs(pa.table(columns), batch.crs)


def export(tables: Sequence[tuple[str, pa.Table]], path: Path) -> list[Path]:
    """Writes a layer for each dataset; the ending of the path decides the format.

    A GeoPackage has one layer a dataset, named like it. GeoParquet has one file a dataset:
    ``F.parquet`` for the first, ``F_2.parquet`` and so on. Without any there is an empty layer.

    Args:
        tables: title and table of each dataset that has any.
        path: ``.gpkg``, ``.parquet`` or ``.geoparquet``.

    Raises:
        OSError: a file cannot be written.

    """
    tables = tables or [("quarantine", _nothing())]
    if path.suffix.lower() == ".gpkg":
        layers = [(title, _plain(table)) for title, table in tables]
        violations.write_layers(layers, path)
        return [path]
    files = []
    for i, (_, table) in enumerate(tables):
        file = path if i == 0 else path.with_name(f"{path.stem}_{i + 1}{path.suffix}")
        violations.write_geoparquet(table, file)
        files.append(file)
    return files


def _nothing() -> pa.Table:
    columns = {ROW: pa.array([], pa.int64()), REASONS: pa.array([], pa.string())}
    columns[violations.GEOMETRY] = pa.array([], pa.binary())
    return violations.with_crs(pa.table(columns), None)


def _free(names: Sequence[str], taken: set[str]) -> list[str]:
    """The names; those that are taken get the first number that makes them free."""
    used = {n.casefold() for n in names} | taken
    out: list[str] = []
    for name in names:
        free, number = name, 1
        while name.casefold() in taken and free.casefold() in used:
            free = f"{name}_{number}"
            number += 1
        used.add(free.casefold())
        out.append(free)
    return out


def _plain(table: pa.Table) -> pa.Table:
    """The table with what a GeoPackage has no type for as JSON text."""
    for i, column in enumerate(table.schema):
        kind = column.type
        if pa.types.is_nested(kind) or pa.types.is_duration(kind):
            texts = [None if v is None else json_text(v) for v in table.column(i).to_pylist()]
            table = table.set_column(i, column.name, pa.array(texts, pa.string()))
        elif pa.types.is_timestamp(kind) and not _is_geopackage_instant(table.column(i)):
            table = table.set_column(i, column.name, _iso(table.column(i)))
        elif pa.types.is_null(kind) or pa.types.is_time(kind) or pa.types.is_decimal(kind):
            table = table.set_column(i, column.name, table.column(i).cast(pa.string()))
    return table


def _is_geopackage_instant(column: pa.ChunkedArray) -> bool:
    """True when DATETIME holds the column: UTC by the standard, thousandths by GDAL."""
    if column.type.tz != "UTC":
        return False
    return bool(column.equals(column.cast(pa.timestamp("ms", "UTC"), safe=False).cast(column.type)))


def _iso(column: pa.ChunkedArray) -> pa.ChunkedArray:
    """Time stamps as ISO 8601 text: in UTC with a Z, or without zone as they are."""
    zoned = column.type.tz is not None
    instants = column.cast(pa.timestamp(column.type.unit, "UTC")) if zoned else column
    return pc.strftime(instants, format="%Y-%m-%dT%H:%M:%S" + ("Z" if zoned else ""))
