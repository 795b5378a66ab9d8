"""Violations for people: layers and tables with plain columns, in the format of the file's name."""

from __future__ import annotations

import json
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.csv
import shapely
from numpy.typing import NDArray

from spatial_pipeline.model.profile import Profile
from spatial_pipeline.model.result import Result, key_text, keys_text
from spatial_pipeline.model.violation_runs import AnyViolations, parts_of
from spatial_pipeline.report import layers
from spatial_pipeline.report.feature_ids import feature_ids
from spatial_pipeline.report.geopackage import write_violations
from spatial_pipeline.report.map_geometry import places
from spatial_pipeline.report.violations import GEOMETRY, replaced, text, to_table
from spatial_pipeline.runtime.json_text import json_text

LAYER = "violations"
LAYERS = (".gpkg", ".parquet", ".geoparquet")
"""Suffixes of formats with geometries."""
TABLES = (".csv", ".xlsx")
"""Suffixes of formats without."""
MOST_ROWS = 1_048_575
"""Rows of a sheet, without its header."""
FORMULA = r"^([=+\-@\t\r])"
"""Beginnings that a spreadsheet takes for a formula in a CSV file."""


def export(tables: Sequence[pa.Table], path: Path) -> list[Path]:
    """Writes the violations of several versions; the file extension selects the format.

    Versions in one CRS go into one layer. With several CRSs, each has its own layer in a GeoPackage
    (``violations``, ``violations_2``, …) and its own GeoParquet file (``F.parquet``,
    ``F_2.parquet``, …): a layer has one CRS. CSV and XLSX are one table with the CRS in a column.

    Args:
        tables: tables of ``with_version``, at least one; those without violations get no layer,
            unless all of them have none.
        path: a file with one of the suffixes :data:`LAYERS` and :data:`TABLES`.

    Returns:
        The files written.

    Raises:
        OSError: a file cannot be written.

    """
    found = [t for t in tables if len(t)] or tables[:1]
    parts = [with_plain_columns(t) for t in layers.by_crs(found)]
    suffix = path.suffix.lower()
    if suffix in TABLES:
        _SHEETS[suffix](pa.concat_tables([_sheet(t) for t in parts]), path)
        return [path]
    return layers.write(parts, path, LAYER, write_violations)


def write_geopackage(table: pa.Table, path: Path) -> None:
    """Writes a table of violations as a GeoPackage; see :func:`export`.

    Raises:
        OSError: the file cannot be written.

    """
    write_violations([(LAYER, with_plain_columns(table))], path)


def numbered_table(
    evaluations: Sequence[tuple[Result, AnyViolations]], profile: Profile | None
) -> pa.Table:
    """All violations with the numbers of the features involved, as the source has them.

    ``feature_id`` is the first feature (see :func:`feature_ids`), ``other_feature_id`` the second.

    Args:
        evaluations: results with their violations, keys filled in.
        profile: profile of the source.

    """
    table = to_table(evaluations, None if profile is None else profile.pyproj_crs)
    parts = [part for _, found in evaluations for part in parts_of(found) if len(part)]
    none = np.empty(0, np.int64)
    firsts = np.concatenate([none, *(p.rows[:, 0] for p in parts)])
    seconds = np.concatenate([none, *(_second(p.rows) for p in parts)])
    place = table.schema.get_field_index(GEOMETRY)
    for name, rows in (("other_feature_id", seconds), ("feature_id", firsts)):
        table = table.add_column(place, name, feature_ids(profile, rows))
    return table


def _second(rows: NDArray[np.int64]) -> NDArray[np.int64]:
    return rows[:, 1] if rows.shape[1] > 1 else np.full(len(rows), -1, dtype=np.int64)


def with_plain_columns(table: pa.Table) -> pa.Table:
    """The table with columns that need no parser, in front of the geometry.

    ``key`` is the key of the first feature as text, ``other_key`` that of the others; ``xmin``,
    ``ymin``, ``xmax`` and ``ymax`` are the extent of the place in the CRS of the layer.
    """
    keys = [json.loads(k) for k in table["keys"].to_pylist()]
    first = [text(key_text(k[0])) if k else None for k in keys]
    others = [text(keys_text(k[1:])) if len(k) > 1 else None for k in keys]
    bounds = shapely.bounds(_shapes(table)).reshape(-1, 4)
    columns: dict[str, Any] = {
        "key": pa.array(first, pa.string()),
        "other_key": pa.array(others, pa.string()),
    }
    for i, name in enumerate(("xmin", "ymin", "xmax", "ymax")):
        columns[name] = pa.array(bounds[:, i], mask=~np.isfinite(bounds[:, i]))
    place = table.schema.get_field_index(GEOMETRY)
    for i, (name, column) in enumerate(columns.items()):
        table = table.add_column(place + i, name, column)
    return table


def _sheet(table: pa.Table) -> pa.Table:
    """The table with a point instead of its geometries."""
    points, crs = places(_shapes(table)), _crs(table)
    table = table.drop([GEOMETRY])
    for i, name in enumerate(("x", "y")):
        column = pa.array(points[:, i], mask=~np.isfinite(points[:, i]))
        table = table.append_column(name, column)
    return table.append_column("crs", pa.array([crs] * len(table), pa.string()))


def _csv(table: pa.Table, path: Path) -> None:
    """Comma-separated values in UTF-8, with a byte order mark that spreadsheets look for."""
    for i, field in enumerate(table.schema):
        if pa.types.is_string(field.type):
            # Text of a supplier must not run as a formula when the file is opened.
            safe = pc.replace_substring_regex(table.column(i), FORMULA, r"'\1")
            table = table.set_column(i, field, safe)

    def write(temporary: Path) -> None:
        with temporary.open("wb") as file:
            file.write(b"\xef\xbb\xbf")
            pyarrow.csv.write_csv(table, file)

    replaced(path, write)


def _xlsx(table: pa.Table, path: Path) -> None:
    """A sheet of a workbook, by GDAL; text is never taken for a formula there."""
    if len(table) > MOST_ROWS:
        msg = f"{path}: {len(table)} violations, and a sheet has {MOST_ROWS} rows: write .csv"
        raise OSError(msg)
    import pyogrio

    replaced(
        path, lambda temporary: pyogrio.write_arrow(table, temporary, driver="XLSX", layer=LAYER)
    )


_SHEETS: dict[str, Callable[[pa.Table, Path], None]] = {".csv": _csv, ".xlsx": _xlsx}


def _shapes(table: pa.Table) -> Any:
    wkb = table[GEOMETRY].combine_chunks().to_numpy(zero_copy_only=False)
    return shapely.from_wkb(np.asarray(wkb, dtype=object))


def _crs(table: pa.Table) -> str | None:
    """``EPSG:32633``, or the definition of a CRS without a code."""
    about = (table.schema.field(GEOMETRY).metadata or {}).get(b"ARROW:extension:metadata", b"{}")
    crs = json.loads(about).get("crs")
    if crs is None:
        return None
    code = crs.get("id")
    return f"{code['authority']}:{code['code']}" if code else json_text(crs, sort_keys=True)
