"""Quarantine layer: complete features in violations of blocking rules, with the reasons."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
from numpy.typing import NDArray

from spatial_pipeline.contract.rules import CATALOGUE
from spatial_pipeline.model.arrow_json import json_values
from spatial_pipeline.model.features import FeatureBatch
from spatial_pipeline.model.profile import Profile
from spatial_pipeline.model.violation_runs import parts_of
from spatial_pipeline.report import violations
from spatial_pipeline.report.checked import Checked
from spatial_pipeline.report.feature_ids import feature_ids
from spatial_pipeline.report.geopackage import write_layers
from spatial_pipeline.report.layers import write_geoparquets
from spatial_pipeline.runtime.json_text import json_text

_FIRST_DAY, _LAST_DAY = -719_162, 2_932_896
"""Days from 1970-01-01 to 0001-01-01 and to 9999-12-31."""
REASONS = "quarantine_reasons"
ROW = "quarantine_row"
ID = "quarantine_id"


def named_rows(checked: Checked) -> dict[int, list[str]]:
    """Source row → messages of the blocking rules that did not pass, in the order of the rules.

    Features that a violation only names, as those around a gap, are not in it.
    """
    reasons: dict[int, list[str]] = {}
    for result, found in checked.evaluations:
        model = CATALOGUE.get(result.rule)
        if not result.blocks or (model is not None and model.names_neighbours):
            continue
        for part in parts_of(found):
            for rows, reason in zip(part.rows.tolist(), part.reasons, strict=True):
                for row in dict.fromkeys(r for r in rows if r >= 0):
                    reasons.setdefault(row, []).append(f"{result.name}: {reason}")
    return dict(sorted(reasons.items()))


def to_table(
    batch: FeatureBatch, reasons: dict[int, list[str]], profile: Profile | None = None
) -> pa.Table:
    """The features with all columns, source row and number, reasons as a JSON list, and geometry.

    Args:
        batch: the features of ``reasons``, in that order.
        reasons: see :func:`named_rows`.
        profile: profile of the source, which knows the numbers of features.

    """
    names = _free(batch.table.column_names, {violations.GEOMETRY})
    columns: dict[str, Any] = dict(zip(names, batch.table.columns, strict=True))
    rows: NDArray[np.int64] = batch.rows
    texts = [json_text(r) for r in reasons.values()]
    row_name, id_name, reason_name = _free([ROW, ID, REASONS], {n.casefold() for n in names})
    columns[row_name] = pa.array(rows)
    columns[id_name] = feature_ids(profile, rows)
    columns[reason_name] = pa.array([violations.text(t) for t in texts], pa.string())
    wkb = pa.nulls(len(rows), pa.binary()) if batch.wkb is None else batch.wkb.cast(pa.binary())
    columns[violations.GEOMETRY] = wkb
    return violations.with_crs(pa.table(columns), batch.crs)


def export(tables: Sequence[tuple[str, pa.Table]], path: Path) -> list[Path]:
    """Writes a layer for each dataset; the file extension selects the format.

    A GeoPackage has one layer per dataset, named like it. GeoParquet has one file per dataset:
    ``F.parquet`` for the first, ``F_2.parquet`` and so on. Without any there is an empty layer.

    Args:
        tables: title and table of each dataset that has any.
        path: ``.gpkg``, ``.parquet`` or ``.geoparquet``.

    Raises:
        OSError: a file cannot be written.

    """
    tables = tables or [("quarantine", _nothing())]
    if path.suffix.lower() == ".gpkg":
        write_layers([(title, _plain(table)) for title, table in tables], path)
        return [path]
    return write_geoparquets([table for _, table in tables], path)


def _nothing() -> pa.Table:
    columns = {ROW: pa.array([], pa.int64()), ID: pa.array([], pa.int64())}
    columns[REASONS] = pa.array([], pa.string())
    columns[violations.GEOMETRY] = pa.array([], pa.binary())
    return violations.with_crs(pa.table(columns), None)


def _free(names: Sequence[str], taken: set[str]) -> list[str]:
    """Unique names; a name in use gets the first number that makes it unique."""
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
    """The table with types that a GeoPackage lacks converted to lossless text."""
    for i, column in enumerate(table.schema):
        if column.name != violations.GEOMETRY:
            table = table.set_column(i, column.name, _kept(table.column(i)))
    return table


def _kept(column: pa.ChunkedArray) -> pa.ChunkedArray:
    """The column unchanged if a GeoPackage can hold all of its values, else as text."""
    kind = column.type
    if pa.types.is_nested(kind):
        texts = [None if v is None else json_text(v) for v in json_values(column)]
        return pa.chunked_array([pa.array(texts, pa.string())])
    if pa.types.is_timestamp(kind) and not _is_geopackage_instant(column):
        return _iso(column)
    foreign = (pa.types.is_null, pa.types.is_time, pa.types.is_decimal, pa.types.is_duration)
    if any(test(kind) for test in foreign) or not _is_held(column):
        return _texts(json_values(column))
    return column.cast(pa.int64()) if pa.types.is_uint64(kind) else column


def _is_held(column: pa.ChunkedArray) -> bool:
    """True when SQLite and GDAL hold all values: no unsigned word, NaN, or year of five digits."""
    kind = column.type
    if pa.types.is_uint64(kind):
        return (pc.max(column).as_py() or 0) < 1 << 63
    if pa.types.is_floating(kind):
        return not pc.any(pc.is_nan(column), min_count=0).as_py()
    return not pa.types.is_date(kind) or _has_usual_years(column)


def _has_usual_years(column: pa.ChunkedArray) -> bool:
    """True when all dates and timestamps are in the years 1 to 9999."""
    kind = column.type
    ticks = column.cast(pa.int32() if pa.types.is_date32(kind) else pa.int64()).cast(pa.int64())
    day = 86_400_000 if pa.types.is_date64(kind) else 1
    if pa.types.is_timestamp(kind):
        day = 86_400 * {"s": 1, "ms": 10**3, "us": 10**6, "ns": 10**9}[kind.unit]
    ends = pc.min_max(ticks).as_py()
    least, most = ends["min"], ends["max"]
    return least is None or (_FIRST_DAY * day <= least and most < (_LAST_DAY + 1) * day)


def _is_geopackage_instant(column: pa.ChunkedArray) -> bool:
    """True when DATETIME holds the column: UTC by the standard, thousandths by GDAL."""
    if column.type.tz != "UTC" or not _has_usual_years(column):
        return False
    return bool(column.equals(column.cast(pa.timestamp("ms", "UTC"), safe=False).cast(column.type)))


def _iso(column: pa.ChunkedArray) -> pa.ChunkedArray:
    """Time stamps as ISO 8601 text: in UTC with a Z, or without zone as they are."""
    zoned = column.type.tz is not None
    instants = column.cast(pa.timestamp(column.type.unit, "UTC")) if zoned else column
    if not _has_usual_years(column):
        return _texts([v and v.replace("+00:00", "Z") for v in json_values(instants)])
    return pc.strftime(instants, format="%Y-%m-%dT%H:%M:%S" + ("Z" if zoned else ""))


def _texts(values: Sequence[Any]) -> pa.ChunkedArray:
    texts = [v if v is None or isinstance(v, str) else json_text(v) for v in values]
    return pa.chunked_array([pa.array(texts, pa.string())])
