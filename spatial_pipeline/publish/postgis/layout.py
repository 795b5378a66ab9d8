"""Layout of a published table, derived from the staged file alone."""

from __future__ import annotations

import json
from dataclasses import dataclass, field
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq
import pyproj

from spatial_pipeline.contract.geometry_type import GeometryType
from spatial_pipeline.contract.publication import GeometryColumn
from spatial_pipeline.contract.table_name import TableName
from spatial_pipeline.errors import StoreError
from spatial_pipeline.model.crs import comparison
from spatial_pipeline.model.profile import VectorProfile
from spatial_pipeline.publish.postgis.columns import ColumnType, column_type
from spatial_pipeline.publish.postgis.geometry_column import Wanted, wanted
from spatial_pipeline.publish.postgis.identifiers import quoted_column
from spatial_pipeline.publish.postgis.wkb_types import types_of
from spatial_pipeline.runtime.json_text import json_text

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
        wanted: facts that decide the geometry type if a table already has one.
        srid: number that the contract asks for; None when it does not.
        required: columns that hold no nulls by declaration.
        asked: settings of the contract for the geometry column, empty without any.

    """

    names: tuple[str, ...]
    types: tuple[ColumnType, ...]
    geometry: str | None
    geometry_type: str | None
    crs: pyproj.CRS | None
    key: tuple[str, ...]
    wanted: Wanted = field(default_factory=Wanted)
    srid: int | None = None
    required: frozenset[str] = frozenset()
    asked: str = ""

    @property
    def columns(self) -> tuple[str, ...]:
        """Names of all columns."""
        return self.names if self.geometry is None else (*self.names, self.geometry)


def layout_of(
    path: Path,
    profile: VectorProfile,
    key: tuple[str, ...],
    table: TableName,
    column: GeometryColumn = GeometryColumn(),  # noqa: B008 - frozen
) -> TableLayout:
    """The layout of a staged file.

    Args:
        path: the staged GeoParquet.
        profile: its profile.
        key: columns that identify a feature.
        table: where it will be published, for messages.
        column: geometry column that the contract declares.

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
    decides = wanted(profile, _found(path, profile), column.parsed)
    geometry_type: GeometryType | None = None
    try:
        geometry_type = decides.type
    except StoreError as exc:
        mistakes.append(str(exc))
    if mistakes:
        msg = f"{table} cannot be written: {'; '.join(mistakes)}"
        raise StoreError(msg)
    return TableLayout(
        names=names,
        types=tuple(types),
        geometry=profile.geometry_column,
        geometry_type=None if geometry_type is None else str(geometry_type),
        crs=profile.pyproj_crs,
        key=key,
        wanted=decides,
        srid=column.srid,
        required=_required(profile, column),
        asked=asked_of(column),
    )


def asked_of(column: GeometryColumn) -> str:
    """Declaration of the geometry column in a contract, as text that names it."""
    return json_text(column.model_dump(exclude_none=True)) if column.model_fields_set else ""


def authority(crs: pyproj.CRS) -> tuple[str, str] | None:
    """Authority and code of a CRS, None when it has none."""
    found = comparison.authority(crs)
    if found is None:
        return None
    name, code = found.split(":", 1)
    return OGC_LON_LAT.get((name, code), (name, code))


def _found(path: Path, profile: VectorProfile) -> frozenset[GeometryType]:
    """Types that occur in a staged file.

    The metadata of the file lists them, unless it has no name for one of them (M); it has none for
    the dimensions of what is empty, either. Then the headers of the geometries are read.
    """
    if profile.geometry_column is None:
        return frozenset()
    with pq.ParquetFile(path) as file:
        listed = _listed(file, profile)
        if listed:
            return listed
        batches = file.iter_batches(columns=[profile.geometry_column])
        return frozenset().union(*(types_of(b.column(0).cast(pa.binary())) for b in batches))


def _listed(file: pq.ParquetFile, profile: VectorProfile) -> frozenset[GeometryType]:
    """Types by the file's metadata; none where they may not be all of them."""
    geo = json.loads((file.schema_arrow.metadata or {}).get(b"geo", b"{}"))
    column = geo.get("columns", {}).get(profile.geometry_column, {})
    types = [GeometryType.parse(t) for t in column.get("geometry_types", [])]
    known = frozenset(t for t in types if t is not None)
    if len(known) < len(types) or not _all_have_boxes(file.metadata, profile.bbox_column):
        return frozenset()
    return known


def _all_have_boxes(metadata: pq.FileMetaData, bbox: str) -> bool:
    """True when the statistics say that no geometry is without extent, as null and empty ones."""
    schema = metadata.schema
    # A column of the source may have a name with a dot, and so the same path.
    places = [i for i in range(len(schema)) if schema.column(i).path == f"{bbox}.xmin"]
    groups = [metadata.row_group(i) for i in range(metadata.num_row_groups)]
    found = [g.column(i).statistics for g in groups for i in places]
    return bool(places) and all(
        f is not None and f.has_null_count and not f.null_count for f in found
    )


def _required(profile: VectorProfile, column: GeometryColumn) -> frozenset[str]:
    """Columns that the source or the contract declares to hold no nulls."""
    names = {c.name for c in profile.columns if not c.nullable}
    required = profile.geometry_required if column.nullable is None else not column.nullable
    if profile.geometry_column is not None and required:
        names.add(profile.geometry_column)
    return frozenset(names)
