"""Tables as layers of files: those of one CRS together, numbered where there are several CRSs."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from pathlib import Path

import pyarrow as pa

from spatial_pipeline.report.violations import write_geoparquet

NamedTables = list[tuple[str, pa.Table]]


def by_crs(tables: Sequence[pa.Table]) -> list[pa.Table]:
    """Joins tables with equal schemas (the geometry column names the CRS), in their order."""
    layers: list[pa.Table] = []
    for table in tables:
        same = next((i for i, t in enumerate(layers) if t.schema.equals(table.schema, True)), None)
        if same is None:
            layers.append(table)
        else:
            layers[same] = pa.concat_tables([layers[same], table])
    return layers


def write(
    layers: Sequence[pa.Table],
    path: Path,
    name: str,
    geopackage: Callable[[NamedTables, Path], None],
) -> list[Path]:
    """Writes layers to one GeoPackage (``name``, ``name_2``, …) or GeoParquet (``F``, ``F_2``, …).

    Args:
        layers: one table a CRS.
        path: a file that ends in ``.gpkg`` or ``.parquet``.
        name: name of the first layer.
        geopackage: writes named tables as the layers of a GeoPackage.

    Returns:
        The files written.

    Raises:
        OSError: a file cannot be written.

    """
    if path.suffix.lower() == ".gpkg":
        names = [name if i == 0 else f"{name}_{i + 1}" for i in range(len(layers))]
        geopackage(list(zip(names, layers, strict=True)), path)
        return [path]
    return write_geoparquets(layers, path)


def write_geoparquets(tables: Sequence[pa.Table], path: Path) -> list[Path]:
    """Writes each table to a GeoParquet file of its own: ``F.parquet``, ``F_2.parquet``, ….

    Raises:
        OSError: a file cannot be written.

    """
    files: list[Path] = []
    for i, table in enumerate(tables):
        file = path if i == 0 else path.with_name(f"{path.stem}_{i + 1}{path.suffix}")
        write_geoparquet(table, file)
        files.append(file)
    return files


__all__ = ["by_crs", "write", "write_geoparquets"]
