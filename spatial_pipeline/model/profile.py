"""Profile of a dataset: metadata known without reading its features or pixels."""

from __future__ import annotations

import dataclasses
import re
from dataclasses import dataclass
from functools import cached_property
from typing import Any, Literal, Self

import pyproj
from pyproj.exceptions import CRSError

from spatial_pipeline.contract.vocabulary import Bounds
from spatial_pipeline.model.conformance import FormatEvidence
from spatial_pipeline.model.delivery import Delivery


@dataclass(frozen=True, slots=True)
class Column:
    """One attribute column: its name, its Arrow type as text, and whether it may hold nulls."""

    name: str
    type: str
    nullable: bool = True


@dataclass(frozen=True, slots=True)
class CellDefect:
    """A value of the source that could not be kept as it is; staged as null.

    Attributes:
        row: 0-based source row.
        column: column as staged; the geometry column for a geometry.
        text: the value as the file holds it, truncated.
        reason: reason why it cannot be kept.

    """

    row: int
    column: str
    text: str
    reason: str

    def __str__(self) -> str:
        return f"{self.column} {self.text!r} {self.reason}"


@dataclass(frozen=True)
class VectorProfile:
    """Metadata of a vector source as it came, recorded by ingest.

    Attributes:
        uri: the source as the contract names it (partition filled in).
        driver: GDAL driver short name, or ``Parquet``.
        layer: layer that was read, or None where the format has only one.
        crs: WKT2 of the declared CRS, or None when the source declares none.
        geometry_type: type that the source declares (``Unknown`` when mixed), None without
            geometry.
        geometry_column: name of the geometry column in the staged file, None without geometry.
        geometry_required: True when the source declares that no geometry is null.
        row_column: name of the column that holds the 0-based source row.
        bbox_column: name of the covering column in the staged file.
        columns: attribute columns in source order, without geometry and helper columns.
        count: features staged.
        declared_count: features that the source declares, None when it declares none.
        bounds: extent of the finite geometries, units of the CRS; None when there are none.
        declared_bounds: extent that the source declares, None when it declares none.
        undecodable: source rows whose geometry could not be decoded (damaged records).
        defects: values that could not be kept as they are, in row order; at most 1,000 of one
            column and reason.
        defect_count: number of all such values.
        error: reason why the source could not be read, None when it could.
        notes: remarks for users (several geometry columns, dropped covering, …).
        checksums: of every column as it was read, by its name in the staged file (see
            ``checksums.written``); None for versions of an ingest that took none.
        feature_ids: numbers that the source gives its features, as pairs (source row, number)
            from which both count up; None where a feature is known by its row only.
        conformance: how the file obeys its format; None for formats without published
            requirements, for tables, and for versions of an ingest that did not look.
        curves: source rows of the features that had curves, by the types of these; None for
            versions of an ingest that did not look.
        drawn_curves: one sentence each on curved entities of a drawing, whose rows are not known.
        layers: names of the layers of the container; None for formats with one layer only.
        spatial_index: what was found of the spatial index of the file; None for formats without.
        delivery: files that the source came with; None where no rule asks for them.
        changed: time of the source's last change, ISO 8601; None where no rule asks for it, and
            where it is not known.

    """

    uri: str
    driver: str = ""
    layer: str | None = None
    crs: str | None = None
    geometry_type: str | None = None
    geometry_column: str | None = "geometry"
    row_column: str = "__row"
    bbox_column: str = "bbox"
    columns: tuple[Column, ...] = ()
    count: int = 0
    declared_count: int | None = None
    bounds: Bounds | None = None
    declared_bounds: Bounds | None = None
    undecodable: tuple[int, ...] = ()
    defects: tuple[CellDefect, ...] = ()
    defect_count: int = 0
    error: str | None = None
    notes: tuple[str, ...] = ()
    checksums: dict[str, str] | None = None
    geometry_required: bool = False
    feature_ids: tuple[tuple[int, int], ...] | None = None
    conformance: FormatEvidence | None = None
    curves: dict[str, tuple[int, ...]] | None = None
    drawn_curves: tuple[str, ...] = ()
    layers: tuple[str, ...] | None = None
    spatial_index: FormatEvidence | None = None
    delivery: Delivery | None = None
    changed: str | None = None
    kind: Literal["vector"] = "vector"

    @cached_property
    def pyproj_crs(self) -> pyproj.CRS | None:
        """The CRS as an object; None when missing or not understood."""
        return _crs(self.crs)

    def to_json(self) -> dict[str, Any]:
        """A JSON-ready dict; :meth:`from_json` is its inverse."""
        return dataclasses.asdict(self)

    @classmethod
    def from_json(cls, value: dict[str, Any]) -> Self:
        """The profile that :meth:`to_json` wrote."""
        value = dict(value)
        value["columns"] = tuple(Column(**c) for c in value["columns"])
        value["defects"] = tuple(CellDefect(**d) for d in value.get("defects", ()))
        for name in ("bounds", "declared_bounds", "undecodable", "notes", "drawn_curves", "layers"):
            if value.get(name) is not None:
                value[name] = tuple(value[name])
        if value.get("curves") is not None:
            value["curves"] = {kind: tuple(rows) for kind, rows in value["curves"].items()}
        if value.get("feature_ids") is not None:
            value["feature_ids"] = tuple((row, number) for row, number in value["feature_ids"])
        return cls(**_with_evidence(value))


@dataclass(frozen=True, slots=True)
class BrokenBlock:
    """A block of a raster that does not decode.

    Attributes:
        band: 1-based band.
        overview: 0 for full resolution, else 1-based overview level.
        row: block row.
        column: block column.
        bounds: extent of the block, units of the CRS.
        reason: GDAL's error message.

    """

    band: int
    overview: int
    row: int
    column: int
    bounds: Bounds
    reason: str


def can_hold(data_type: str, value: float | str) -> bool:
    """True when a pixel of a type can have a value; floating point types take any number."""
    integer = re.fullmatch(r"(u?)int(\d+)", data_type)
    if integer is None:
        return True
    number = float(value) if isinstance(value, str) else value
    bits = int(integer[2]) - (not integer[1])
    return bool(number == number // 1 and (0 if integer[1] else -(2**bits)) <= number < 2**bits)


@dataclass(frozen=True)
class BandProfile:
    """One band of a raster as it came.

    Attributes:
        data_type: type of the pixels.
        nodata: as declared: an int with all its digits for integer types, else a float; NaN,
            infinities as text. None when the band declares none.
        description: name of the band.
        color_interpretation: GDAL's name for the role of the band.
        scale: factor of a pixel's value; text when it is not finite.
        offset: added after scaling; text when it is not finite.
        unit: unit of the scaled values.

    """

    data_type: str
    nodata: float | str | None = None
    description: str | None = None
    color_interpretation: str = "undefined"
    scale: float | str = 1.0
    offset: float | str = 0.0
    unit: str | None = None


@dataclass(frozen=True)
class RasterProfile:
    """Metadata of a raster source as it came, recorded by ingest.

    Attributes:
        uri: the source as the contract names it (partition filled in).
        driver: GDAL driver short name.
        crs: WKT2 of the declared CRS, or None when the source declares none.
        width: columns in pixels.
        height: rows in pixels.
        transform: affine coefficients (a, b, c, d, e, f): x = a·col + b·row + c and y = d·col +
            e·row + f.
        bands: one profile per band, in order.
        block_shapes: (rows, columns) of a block, one per band.
        compression: compression of the source, None when uncompressed.
        overviews: decimation factors of band 1.
        mask_flags: GDAL's mask flags a band.
        tags: dataset tags (default domain).
        cog_errors: reasons why the source is not a Cloud Optimized GeoTIFF, empty when it is one.
        cog_warnings: warnings of the validator.
        broken_blocks: blocks that do not decode.
        error: reason why the source could not be read, None when it could.
        notes: remarks for users.
        checksums: of the pixels as they were read, in 16 hexadecimal digits: a band, a row of
            cells, a cell (see ``checksums.empty_cells``); None for versions of an ingest that took
            none.
        conformance: how the file obeys its format; see ``VectorProfile``.
        delivery: files that the source came with; None where no rule asks for them.
        changed: time of the source's last change, ISO 8601; None where no rule asks for it, and
            where it is not known.

    """

    uri: str
    driver: str = ""
    crs: str | None = None
    width: int = 0
    height: int = 0
    transform: tuple[float, float, float, float, float, float] = (1.0, 0.0, 0.0, 0.0, 1.0, 0.0)
    bands: tuple[BandProfile, ...] = ()
    block_shapes: tuple[tuple[int, int], ...] = ()
    compression: str | None = None
    overviews: tuple[int, ...] = ()
    mask_flags: tuple[tuple[str, ...], ...] = ()
    tags: dict[str, str] = dataclasses.field(default_factory=dict)
    cog_errors: tuple[str, ...] = ()
    cog_warnings: tuple[str, ...] = ()
    broken_blocks: tuple[BrokenBlock, ...] = ()
    error: str | None = None
    notes: tuple[str, ...] = ()
    checksums: tuple[tuple[tuple[str, ...], ...], ...] | None = None
    conformance: FormatEvidence | None = None
    delivery: Delivery | None = None
    changed: str | None = None
    kind: Literal["raster"] = "raster"

    @cached_property
    def pyproj_crs(self) -> pyproj.CRS | None:
        """The CRS as an object; None when missing or not understood."""
        return _crs(self.crs)

    @property
    def masked_bands(self) -> tuple[int, ...]:
        """Bands (from 0) with a mask of their own; others follow from nodata or an alpha band."""
        derived = {"all_valid", "nodata", "alpha"}
        return tuple(i for i, flags in enumerate(self.mask_flags) if not derived & set(flags))

    @property
    def count(self) -> int:
        """Number of bands."""
        return len(self.bands)

    @property
    def bounds(self) -> Bounds | None:
        """Extent (xmin, ymin, xmax, ymax) in the units of the CRS; None for an empty raster."""
        if not self.width or not self.height:
            return None
        a, b, c, d, e, f = self.transform
        xs = [c + a * i + b * j for i in (0, self.width) for j in (0, self.height)]
        ys = [f + d * i + e * j for i in (0, self.width) for j in (0, self.height)]
        return min(xs), min(ys), max(xs), max(ys)

    def to_json(self) -> dict[str, Any]:
        """A JSON-ready dict; :meth:`from_json` is its inverse."""
        return dataclasses.asdict(self)

    @classmethod
    def from_json(cls, value: dict[str, Any]) -> Self:
        """The profile that :meth:`to_json` wrote."""
        value = dict(value)
        value["bands"] = tuple(BandProfile(**b) for b in value["bands"])
        value["broken_blocks"] = tuple(
            BrokenBlock(**{**b, "bounds": tuple(b["bounds"])}) for b in value["broken_blocks"]
        )
        for name in ("block_shapes", "mask_flags"):
            value[name] = tuple(tuple(v) for v in value[name])
        for name in ("transform", "overviews", "cog_errors", "cog_warnings", "notes"):
            value[name] = tuple(value[name])
        if value.get("checksums") is not None:
            value["checksums"] = tuple(tuple(map(tuple, band)) for band in value["checksums"])
        return cls(**_with_evidence(value))


Profile = VectorProfile | RasterProfile


def profile_from_json(value: dict[str, Any]) -> Profile:
    """The profile that ``to_json`` of either kind wrote."""
    model = VectorProfile if value["kind"] == "vector" else RasterProfile
    return model.from_json(value)


def _with_evidence(value: dict[str, Any]) -> dict[str, Any]:
    """The fields of a profile, evidence of conformance and delivery included."""
    if value.get("delivery") is not None:
        value["delivery"] = Delivery.from_json(value["delivery"])
    for name in ("conformance", "spatial_index"):
        if value.get(name) is not None:
            value[name] = FormatEvidence.from_json(value[name])
    return value


def _crs(text: str | None) -> pyproj.CRS | None:
    if text is None:
        return None
    try:
        return pyproj.CRS.from_user_input(text)
    except CRSError:
        return None
