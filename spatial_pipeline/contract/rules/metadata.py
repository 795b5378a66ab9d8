"""Rules about the file, its schema and its attributes."""

from __future__ import annotations

import math
import re
import sys
from collections.abc import Mapping
from datetime import UTC, date, datetime, time
from typing import Annotated, Any, ClassVar, Literal, Self

from pydantic import AfterValidator, BeforeValidator, Field, field_validator, model_validator

from spatial_pipeline.contract.rules.base import (
    BOTH,
    RASTER,
    ColumnNames,
    NotNegative,
    Other,
    Positive,
    Rule,
)
from spatial_pipeline.contract.rules.usable import (
    NO_FEATURES,
    NO_PLACES,
    ONE_FACT,
    ONE_NUMBER,
    Needs,
)
from spatial_pipeline.contract.vocabulary import Bounds, Family, Kind, Scope

GeometryType = Literal[
    "Point", "LineString", "Polygon", "MultiPoint", "MultiLineString", "MultiPolygon",
    "GeometryCollection",
]  # fmt: skip
Dimension = Literal["XY", "XYZ", "XYM", "XYZM"]
ColumnType = Literal[
    "string", "integer", "int8", "int16", "int32", "int64", "uint8", "uint16", "uint32", "uint64",
    "number", "float", "float32", "float64", "decimal", "boolean", "date", "time", "datetime",
    "binary", "any",
]  # fmt: skip
DataType = Literal[
    "uint8", "int8", "uint16", "int16", "uint32", "int32", "uint64", "int64",
    "float32", "float64", "complex64", "complex128",
]  # fmt: skip


def _known_crs(text: str) -> str:
    # Contracts load without a numeric library until one of them names a CRS.
    import pyproj
    from pyproj.exceptions import CRSError

    try:
        pyproj.CRS.from_user_input(text)
    except CRSError as exc:
        msg = f"{text[:80]!r} is no CRS that PROJ understands (EPSG:4326, OGC:CRS84, WKT)"
        raise ValueError(msg) from exc
    return text


def _pattern(text: str) -> str:
    try:
        re.compile(text)
    except re.error as exc:
        msg = f"{text!r} is no regular expression: {exc}"
        raise ValueError(msg) from exc
    return text


def _bound(value: Any) -> Any:
    """Text of a day is that day, not the midnight at its beginning."""
    if isinstance(value, bool):
        msg = "true and false are no bounds"
        raise ValueError(msg)  # noqa: TRY004 - pydantic turns it into a mistake of the contract
    if isinstance(value, str) and re.fullmatch(r"\d{4}-\d{2}-\d{2}", value):
        return date.fromisoformat(value)
    if isinstance(value, float) and math.isnan(value):
        msg = "NaN is no bound"
        raise ValueError(msg)
    if isinstance(value, int) and abs(value) > sys.float_info.max:
        msg = "a bound has at most 308 digits"
        raise ValueError(msg)
    return value


CrsText = Annotated[str, AfterValidator(_known_crs)]
Pattern = Annotated[str, AfterValidator(_pattern)]
Bound = Annotated[int | float | datetime | date, BeforeValidator(_bound)]


class MetadataRule(Rule):
    """A rule of the metadata family."""

    family: ClassVar[Family] = Family.METADATA


class Readable(MetadataRule):
    """The source opens and every record or block decodes. Always on, always first."""

    rule: Literal["readable"] = "readable"
    judges_unreadable_source: ClassVar[bool] = True
    scope: ClassVar[Scope] = Scope.DATASET
    kinds: ClassVar[frozenset[Kind]] = BOTH
    iso_element: ClassVar[str] = "format consistency"
    ignores: ClassVar[Mapping[str, str]] = {
        "where": "every record is read",
        **dict.fromkeys(
            ("except", "except_keys", "baseline"), "what cannot be read cannot be accepted"
        ),
    }


class Crs(MetadataRule):
    """The CRS is present and behaves as promised: datum, projection, units and axis order.

    Definitions are compared by what they do, so the WKT of a Shapefile equals its EPSG code, and
    OGC:CRS84 equals EPSG:4326 as files store x before y. Coordinates that are swapped fail.
    """

    rule: Literal["crs"] = "crs"
    scope: ClassVar[Scope] = Scope.PROFILE
    kinds: ClassVar[frozenset[Kind]] = BOTH
    iso_element: ClassVar[str] = "conceptual consistency"
    needs: ClassVar[Needs] = Needs.one("equals", "any_of")
    ignores: ClassVar[Mapping[str, str]] = ONE_FACT
    equals: CrsText | None = Field(None, description="Authority code (EPSG:4326) or WKT.")
    any_of: tuple[CrsText, ...] | None = Field(None, min_length=1, description="Accepted CRSs.")


class BoundsWithin(MetadataRule):
    """The extent of the data lies inside a box, or inside the area of use of its CRS."""

    rule: Literal["bounds_within"] = "bounds_within"
    scope: ClassVar[Scope] = Scope.PROFILE
    judges: ClassVar[tuple[str, ...]] = ("geometry",)
    kinds: ClassVar[frozenset[Kind]] = BOTH
    iso_element: ClassVar[str] = "domain consistency"
    needs: ClassVar[Needs] = Needs.one("bounds", "area_of_use", area_of_use=True)
    ignores: ClassVar[Mapping[str, str]] = NO_FEATURES
    bounds: Bounds | None = Field(None, description="[xmin, ymin, xmax, ymax], units of the CRS.")
    area_of_use: bool = Field(False, description="Use the area of use of the CRS.")

    @model_validator(mode="after")
    def _ordered(self) -> Self:
        if self.bounds is not None:
            xmin, ymin, xmax, ymax = self.bounds
            if not (xmin <= xmax and ymin <= ymax):
                msg = "bounds are [xmin, ymin, xmax, ymax]"
                raise ValueError(msg)
        return self

    def needs_crs(self) -> bool:
        """Only the area of use depends on the CRS."""
        return self.area_of_use


class GeometryTypeRule(MetadataRule):
    """Every feature's geometry type is allowed, and is the type that the file declares."""

    rule: Literal["geometry_type"] = "geometry_type"
    scope: ClassVar[Scope] = Scope.FEATURE
    judges: ClassVar[tuple[str, ...]] = ("geometry",)
    iso_element: ClassVar[str] = "conceptual consistency"
    any_of: tuple[GeometryType, ...] = Field(min_length=1, description="Allowed types.")
    allow_multi: bool = Field(
        True,
        description="The Multi form of an allowed type is allowed too, and a file may declare "
        "either form.",
    )


class Dimensions(MetadataRule):
    """Every geometry has Z and M as promised."""

    rule: Literal["dimensions"] = "dimensions"
    scope: ClassVar[Scope] = Scope.FEATURE
    iso_element: ClassVar[str] = "conceptual consistency"
    needs: ClassVar[Needs] = Needs.some("any_of", "not_constant_zero", not_constant_zero=True)
    any_of: Annotated[tuple[Dimension, ...], Field(min_length=1)] | None = Field(
        None, description="Allowed dimensions."
    )
    not_constant_zero: bool = Field(
        False, description="Z and M that are 0 at every vertex of a feature are left over."
    )


class Columns(MetadataRule):
    """Names, types and nullability of the columns are as promised."""

    rule: Literal["columns"] = "columns"
    scope: ClassVar[Scope] = Scope.PROFILE
    iso_element: ClassVar[str] = "conceptual consistency"
    needs: ClassVar[Needs] = Needs.some(
        "schema", "name_pattern", "max_name_length", "extra", extra="forbid"
    )
    ignores: ClassVar[Mapping[str, str]] = NO_PLACES
    schema_: dict[str, ColumnType] = Field(
        default_factory=dict,
        alias="schema",
        description="Column name → type; a trailing ! on the name means not nullable: by the "
        "file's schema, else no value may be null.",
    )
    extra: Literal["allow", "forbid"] = Field("allow", description="Columns beyond the schema.")
    order: bool = Field(False, description="The columns of the schema come in this order.")
    name_pattern: Pattern | None = Field(
        None, description="Regular expression that every whole name matches."
    )
    max_name_length: int | None = Field(None, gt=0, description="Longest name in characters.")


class FeatureCount(MetadataRule):
    """The number of features lies within bounds."""

    rule: Literal["feature_count"] = "feature_count"
    scope: ClassVar[Scope] = Scope.DATASET
    iso_element: ClassVar[str] = "completeness"
    needs: ClassVar[Needs] = Needs.some("min", "max")
    ignores: ClassVar[Mapping[str, str]] = ONE_NUMBER
    min: int | None = Field(None, ge=0, description="Fewest features.")
    max: int | None = Field(None, ge=0, description="Most features.")

    @model_validator(mode="after")
    def _ordered(self) -> Self:
        if self.min is not None and self.max is not None and self.min > self.max:
            msg = "min is larger than max"
            raise ValueError(msg)
        return self


class NotNull(MetadataRule):
    """No nulls in the columns; empty text, zero and NaN are values."""

    rule: Literal["not_null"] = "not_null"
    scope: ClassVar[Scope] = Scope.FEATURE
    iso_element: ClassVar[str] = "completeness"
    columns_: ColumnNames = Field(alias="columns", description="Columns that hold no nulls.")

    def columns(self) -> tuple[str, ...]:
        """The columns named by the contract."""
        return self.columns_


class Unique(MetadataRule):
    """No two features share a key; every row of a shared key is reported.

    A key with a null in it is not compared, as in SQL.
    """

    rule: Literal["unique"] = "unique"
    scope: ClassVar[Scope] = Scope.DATASET
    iso_element: ClassVar[str] = "logical consistency"
    columns_: ColumnNames = Field(alias="columns", description="Columns that form the key.")

    def columns(self) -> tuple[str, ...]:
        """The columns named by the contract."""
        return self.columns_


class ValueRange(MetadataRule):
    """Numbers, dates or times of a column lie within bounds; nulls are not judged, NaN violates."""

    rule: Literal["value_range"] = "value_range"
    scope: ClassVar[Scope] = Scope.FEATURE
    iso_element: ClassVar[str] = "domain consistency"
    needs: ClassVar[Needs] = Needs.some("min", "max")
    column: str = Field(description="Column to judge.")
    min: Bound | None = Field(
        None, description="Smallest value: number, day or time; times without a zone are UTC."
    )
    max: Bound | None = Field(None, description="Largest value; a day is meant to its end.")

    @model_validator(mode="after")
    def _ordered(self) -> Self:
        if self.min is not None and self.max is not None:
            least, most = _comparable(self.min), _comparable(self.max, end=True)
            if type(least) is not type(most):
                msg = "min and max are two numbers or two times"
                raise ValueError(msg)
            if least > most:  # type: ignore[operator]
                msg = "min is larger than max"
                raise ValueError(msg)
        return self

    def columns(self) -> tuple[str, ...]:
        """The column named by the contract."""
        return (self.column,)


def _comparable(bound: float | datetime | date, *, end: bool = False) -> float | datetime:
    """Numbers as float, days as the first (or last) moment of them, times with a zone."""
    if isinstance(bound, datetime):
        return bound if bound.tzinfo is not None else bound.replace(tzinfo=UTC)
    if isinstance(bound, date):
        return datetime.combine(bound, time.max if end else time.min, tzinfo=UTC)
    return float(bound)


class BandCount(MetadataRule):
    """The raster has the promised number of bands."""

    rule: Literal["band_count"] = "band_count"
    scope: ClassVar[Scope] = Scope.PROFILE
    kinds: ClassVar[frozenset[Kind]] = RASTER
    iso_element: ClassVar[str] = "conceptual consistency"
    ignores: ClassVar[Mapping[str, str]] = ONE_FACT
    equals: int = Field(ge=1, description="Number of bands.")


class DataTypeRule(MetadataRule):
    """Every band has the promised data type."""

    rule: Literal["data_type"] = "data_type"
    scope: ClassVar[Scope] = Scope.PROFILE
    kinds: ClassVar[frozenset[Kind]] = RASTER
    iso_element: ClassVar[str] = "conceptual consistency"
    needs: ClassVar[Needs] = Needs.one("equals", "any_of")
    ignores: ClassVar[Mapping[str, str]] = NO_PLACES
    equals: DataType | None = Field(None, description="Type of every band.")
    any_of: tuple[DataType, ...] | None = Field(None, min_length=1, description="Allowed types.")


class Nodata(MetadataRule):
    """Every band declares the promised nodata value (``null`` for none, ``nan`` for NaN)."""

    rule: Literal["nodata"] = "nodata"
    scope: ClassVar[Scope] = Scope.PROFILE
    kinds: ClassVar[frozenset[Kind]] = RASTER
    iso_element: ClassVar[str] = "conceptual consistency"
    ignores: ClassVar[Mapping[str, str]] = NO_PLACES
    equals: int | float | None = Field(
        description="Nodata value of every band, integers with all their digits; null for none."
    )

    @field_validator("equals", mode="before")
    @classmethod
    def _no_truth(cls, value: Any) -> Any:
        if isinstance(value, bool):
            msg = "true and false are no nodata values"
            raise ValueError(msg)  # noqa: TRY004 - pydantic turns it into a mistake of the contract
        return value


class Resolution(MetadataRule):
    """The pixel size is as promised."""

    rule: Literal["resolution"] = "resolution"
    scope: ClassVar[Scope] = Scope.PROFILE
    kinds: ClassVar[frozenset[Kind]] = RASTER
    iso_element: ClassVar[str] = "conceptual consistency"
    ignores: ClassVar[Mapping[str, str]] = ONE_FACT
    equals: Positive | tuple[Positive, Positive] = Field(
        description="Pixel size, or [x, y], units of the CRS."
    )
    tolerance: NotNegative = Field(1e-9, description="Accepted difference, units of the CRS.")


class GridAlignment(MetadataRule):
    """The pixel grid snaps to a given grid, or to that of another raster."""

    rule: Literal["grid_alignment"] = "grid_alignment"
    scope: ClassVar[Scope] = Scope.PROFILE
    kinds: ClassVar[frozenset[Kind]] = RASTER
    iso_element: ClassVar[str] = "conceptual consistency"
    needs: ClassVar[Needs] = Needs((("origin", "resolution"), ("other",)))
    ignores: ClassVar[Mapping[str, str]] = ONE_FACT
    origin: tuple[float, float] | None = Field(None, description="A corner of the grid (x, y).")
    resolution: Positive | tuple[Positive, Positive] | None = Field(
        None, description="Pixel size of the grid, or [x, y]."
    )
    other: Other | None = Field(None, description="Raster whose grid is the grid.")
    tolerance: NotNegative = Field(
        0.01, description="Accepted offset at any corner, as a share of a pixel."
    )

    def others(self) -> tuple[Other, ...]:
        """The raster whose grid counts, when the contract names one."""
        return () if self.other is None else (self.other,)


class CloudOptimized(MetadataRule):
    """The source is a Cloud Optimized GeoTIFF."""

    rule: Literal["cloud_optimized"] = "cloud_optimized"
    scope: ClassVar[Scope] = Scope.PROFILE
    kinds: ClassVar[frozenset[Kind]] = RASTER
    iso_element: ClassVar[str] = "format consistency"
    ignores: ClassVar[Mapping[str, str]] = ONE_FACT
    strict: bool = Field(False, description="The validator's warnings fail too.")
