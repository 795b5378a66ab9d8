"""What a published table looks like, derived from the staged file alone."""

from __future__ import annotations

import json
from dataclasses import dataclass
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq
import pyproj

from spatial_pipeline.contract.table_name import TableName
from spatial_pipeline.errors import StoreError
from spatial_pipeline.model.crs import comparison
from spatial_pipeline.model.profile import VectorProfile
from spatial_pipeline.publish.postgis.columns import ColumnType, column_type
from spatial_pipeline.publish.postgis.identifiers import quoted_column

OGC_LON_LAT = {("OGC", "CRS84"): ("EPSG", "4326"), ("OGC", "CRS83"): ("EPSG", "4269")}
"""CRSs of the OGC that differ from EPSG's in the order of axes, which PostGIS does not have."""


@dataclass(frozen=True, slots=True)
class TableLayout:
    """Columns of a table.

    Attributes:
        names: attribute columns in source order.
        types: their types.
        geometry: name of the geometry column, None without geometry; it comes last.
        geometry_type: as PostGIS spells it in a type modifier (``MultiPolygonZ``), None when the
            geometries have no dimension in common.
        crs: CRS of the geometries.
        key: columns that identify a row.

    """

    names: tuple[str, ...]
    types: tuple[ColumnType, ...]
    geometry: str | None
    geometry_type: str | None
    crs: pyproj.CRS | None
    key: tuple[str, ...]

    @property
    def columns(self) -> tuple[str, ...]:
        """Names of all columns."""
        return self.names if self.geometry is None else (*self.names, self.geometry)


def layout_of(
    path: Path, profile: VectorProfile, key: tuple[str, ...], table: TableName
) -> TableLayout:
    """The layout of a staged file.

    Args:
        path: the staged GeoParquet.
        profile: its profile.
        key: columns that identify a feature.
        table: where it will be published, for messages.

    Raises:
        StoreError: a column cannot be in a table, and why.

    """
    schema: pa.Schema = pq.read_schema(path)
    names = tuple(c.name for c in profile.columns)
    columns = [*names, *([profile.geometry_column] if profile.geometry_column else [])]
    mistakes = []
    for name in columns:
        try:
            quoted_column(name)
        except StoreError as exc:
            mistakes.append(str(exc))
    if not columns:
        mistakes.append("there is no column")
    mistakes += [f"there is no key column {k!r}" for k in key if k not in names]
    types: list[ColumnType] = []
    for name in names:
        try:
            types.append(column_type(name, schema.field(name).type))
        except StoreError as exc:
            mistakes.append(str(exc))
    if mistakes:
        msg = f"{table} cannot be written: {'; '.join(mistakes)}"
        raise StoreError(msg)
    return TableLayout(
        names=names,
        types=tuple(types),
        geometry=profile.geometry_column,
        geometry_type=_geometry_type(schema, profile),
        crs=profile.pyproj_crs,
        key=key,
    )


def authority(crs: pyproj.CRS) -> tuple[str, str] | None:
    """Authority and code of a CRS, None when it has none."""
    found = comparison.authority(crs)
    if found is None:
        return None
    name, code = found.split(":", 1)
    return OGC_LON_LAT.get((name, code), (name, code))


def _geometry_type(schema: pa.Schema, profile: VectorProfile) -> str | None:
    """The narrowest type modifier that all geometries fit, None when there is none."""
    geo = json.loads((schema.metadata or {}).get(b"geo", b"{}"))
    column = geo.get("columns", {}).get(profile.geometry_column, {})
    found = [str(t).split(" ") for t in column.get("geometry_types", ())]
    if not found:
        return None if profile.count else "Geometry"
    dimensions = {d[0] if d else "" for _, *d in found}
    if len(dimensions) > 1:
        return None
    bases = {base for base, *_ in found}
    return (bases.pop() if len(bases) == 1 else "Geometry") + dimensions.pop()
