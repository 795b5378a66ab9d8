"""GeoPackages of violations and quarantined features: layers by kind of geometry, with styles."""

from __future__ import annotations

import contextlib
import warnings
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
import shapely
from numpy.typing import NDArray

from spatial_pipeline.report.qgis_style import KINDS, store_styles
from spatial_pipeline.report.violations import GEOMETRY, TYPES, crs_of, replaced

_MAKE = (shapely.multipoints, shapely.multilinestrings, shapely.multipolygons)


def write_layers(layers: Sequence[tuple[str, pa.Table]], path: Path) -> None:
    """Writes named tables as the layers of a GeoPackage, whatever geometries they hold.

    Raises:
        OSError: the file cannot be written.

    """
    replaced(path, lambda temporary: _write(layers, temporary))


def write_violations(layers: Sequence[tuple[str, pa.Table]], path: Path) -> None:
    """Writes tables of violations as layers of a GeoPackage, with styles for QGIS.

    Each layer holds all violations of its table. Where these have geometries of several kinds, the
    layers ``<name>_points``, ``<name>_lines`` and ``<name>_polygons`` follow, which hold those of
    one kind: a layer with a style has one kind of geometry.

    Args:
        layers: name and table of each layer.
        path: the file.

    Raises:
        OSError: the file cannot be written.

    """
    written: list[tuple[str, pa.Table]] = []
    typed: list[tuple[str, pa.Table]] = []
    styles: dict[str, tuple[str, Mapping[str, int]]] = {}
    for name, table in layers:
        written.append((name, table))
        parts = by_kind(table)
        colours = {check: i for i, check in enumerate(_checks(table))}
        if len(parts) == 1 and len(parts[0][1]) == len(table):
            styles[name] = (parts[0][0], colours)
            continue
        for kind, part in parts:
            typed.append((f"{name}_{kind}s", part))
            # A check has one colour in all layers, and no entry where it has no feature.
            styles[f"{name}_{kind}s"] = (kind, {c: colours[c] for c in _checks(part)})

    def write(temporary: Path) -> None:
        _write([*written, *typed], temporary)
        store_styles(temporary, styles, GEOMETRY)

    replaced(path, write)


def by_kind(table: pa.Table) -> list[tuple[str, pa.Table]]:
    """The rows with points, lines and polygons, each kind as single or as multi-geometries only.

    Of a collection, the parts of the highest dimension are taken. Rows without a place are in none.
    """
    wkb = table[GEOMETRY].combine_chunks().to_numpy(zero_copy_only=False)
    geometry = shapely.from_wkb(np.asarray(wkb, dtype=object))
    dimensions = np.where(shapely.is_empty(geometry), -1, shapely.get_dimensions(geometry))
    out = []
    for dimension, kind in enumerate(KINDS):
        where = np.flatnonzero(dimensions == dimension)
        if len(where):
            column = pa.array(shapely.to_wkb(_uniform(geometry[where], dimension), flavor="iso"))
            place = table.schema.get_field_index(GEOMETRY)
            part = table.take(pa.array(where)).set_column(place, table.schema.field(place), column)
            out.append((kind, part))
    return out


def _uniform(geometry: NDArray[Any], dimension: int) -> NDArray[Any]:
    """Geometries of one type: all single or all multi, and without Z unless all have it."""
    if shapely.has_z(geometry).any() and not shapely.has_z(geometry).all():
        geometry = shapely.force_2d(geometry)
    parts: NDArray[Any] = geometry
    owner = np.arange(len(geometry))
    while (shapely.get_type_id(parts) > 3).any():
        parts, index = shapely.get_parts(parts, return_index=True)
        owner = owner[index]
    kept = shapely.get_dimensions(parts) == dimension
    parts, owner = parts[kept], owner[kept]
    single: NDArray[Any] = parts
    if len(single) == len(geometry):
        return single
    made: NDArray[Any] = _MAKE[dimension](parts, indices=owner)
    return made


def _checks(table: pa.Table) -> list[str]:
    return [str(n) for n in pc.unique(table["name"]).to_pylist()]


def _type(table: pa.Table) -> str:
    """The type to declare: the one that all geometries have."""
    wkb = table[GEOMETRY].combine_chunks().to_numpy(zero_copy_only=False)
    geometry = shapely.from_wkb(np.asarray(wkb, dtype=object))
    present = geometry[~shapely.is_missing(geometry)]
    codes = np.unique(shapely.get_type_id(present) * 2 + shapely.has_z(present)).tolist()
    if len(codes) != 1:
        return "Unknown"
    return f"{TYPES[codes[0] // 2]}{' Z' if codes[0] % 2 else ''}"


def _write(layers: Sequence[tuple[str, pa.Table]], path: Path) -> None:
    import pyogrio

    for name, table in layers:
        crs = crs_of(table)
        with contextlib.ExitStack() as stack:
            if crs is None:
                stack.enter_context(warnings.catch_warnings())
                warnings.filterwarnings("ignore", message="'crs' was not provided")
            pyogrio.write_arrow(
                _without_nul(table),
                path,
                layer=name,
                driver="GPKG",
                geometry_name=GEOMETRY,
                geometry_type=_type(table),
                crs=None if crs is None else crs.to_wkt(),
                append=False,
                layer_options={"GEOMETRY_NAME": GEOMETRY},
            )


def _without_nul(table: pa.Table) -> pa.Table:
    """The table with U+FFFD for NUL, at which GDAL would end a text."""
    for i, column in enumerate(table.schema):
        if pa.types.is_string(column.type) or pa.types.is_large_string(column.type):
            texts = pc.replace_substring(table.column(i), "\0", "\N{REPLACEMENT CHARACTER}")
            table = table.set_column(i, column, texts)
    return table
