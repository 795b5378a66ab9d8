"""Rules about the file, its schema and its attributes."""

import math
import re
import sys
from collections.abc import Mapping
from datetime import UTC, date, datetime, time
from typing import Annotated, Any, ClassVar, Literal, Self

from pydantic import AfterValidator, BeforeValidator, Field, model_validator

from spatial_pipeline.contract.rules.base import BOTH, ColumnNames, Length, Rule
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


def _known_crs(text: str) -> str:
    # Contracts load without a numeric library until one of them names a CRS.
    import pyproj
    from pyproj.exceptions import CRSError

    try:
        pyproj.CRS.from_user_input(text)
    except CRSError as exc:
        msg = f"{text[:80]!r} is not a CRS that PROJ understands (EPSG:4326, OGC:CRS84, WKT)"
        raise ValueError(msg) from exc
    return text


def _pattern(text: str) -> str:
    try:
        re.compile(text)
    except re.error as exc:
        msg = f"{text!r} is not a regular expression: {exc}"
        raise ValueError(msg) from exc
    return text


def _bound(value: Any) -> Any:
    """Text of a day is that day, not the midnight at its beginning."""
    if isinstance(value, bool):
        msg = "true and false are not bounds"
        raise ValueError(msg)  # noqa: TRY004 - pydantic turns it into a mistake of the contract
    if isinstance(value, str) and re.fullmatch(r"\d{4}-\d{2}-\d{2}", value):
        return date.fromisoformat(value)
    if isinstance(value, float) and math.isnan(value):
        msg = "NaN is not a bound"
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
    """The source opens and every record or block decodes. Every contract has this rule."""

    rule: Literal["readable"] = "readable"
    judges_unreadable_source: ClassVar[bool] = True
    scope: ClassVar[Scope] = Scope.DATASET
    kinds: ClassVar[frozenset[Kind]] = BOTH
    iso_element: ClassVar[str] = "format consistency"
    ignores: ClassVar[Mapping[str, str]] = {
        "where": "every record is read",
        **dict.fromkeys(
            ("except", "only_within", "except_keys", "baseline"),
            "unreadable data cannot be accepted",
        ),
    }


class Crs(MetadataRule):
    """The dataset declares the specified CRS.

    Definitions are compared by datum, projection, units and axis directions, so the WKT of a
    Shapefile equals its EPSG code, and OGC:CRS84 equals EPSG:4326, because files store x before y.
    Swapped coordinates fail.
    """

    rule: Literal["crs"] = "crs"
    scope: ClassVar[Scope] = Scope.PROFILE
    kinds: ClassVar[frozenset[Kind]] = BOTH
    iso_element: ClassVar[str] = "conceptual consistency"
    needs: ClassVar[Needs] = Needs.one("equals", "any_of")
    ignores: ClassVar[Mapping[str, str]] = ONE_FACT
    equals: CrsText | None = Field(
        None, description="Expected CRS: authority code (EPSG:4326) or WKT."
    )
    any_of: tuple[CrsText, ...] | None = Field(None, min_length=1, description="Accepted CRSs.")


class BoundsWithin(MetadataRule):
    """The extent of the data lies within a box, or within the area of use of its CRS."""

    rule: Literal["bounds_within"] = "bounds_within"
    scope: ClassVar[Scope] = Scope.PROFILE
    judges: ClassVar[tuple[str, ...]] = ("geometry",)
    kinds: ClassVar[frozenset[Kind]] = BOTH
    iso_element: ClassVar[str] = "domain consistency"
    needs: ClassVar[Needs] = Needs.one("bounds", "area_of_use", area_of_use=True)
    ignores: ClassVar[Mapping[str, str]] = NO_FEATURES
    bounds: Bounds | None = Field(None, description="[xmin, ymin, xmax, ymax] in units of the CRS.")
    area_of_use: bool = Field(False, description="Use the CRS's area of use as the box.")

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


class DeclaredBounds(MetadataRule):
    """The bounds that the file declares are those of its data."""

    rule: Literal["declared_bounds"] = "declared_bounds"
    scope: ClassVar[Scope] = Scope.PROFILE
    judges: ClassVar[tuple[str, ...]] = ("geometry",)
    iso_element: ClassVar[str] = "format consistency"
    ignores: ClassVar[Mapping[str, str]] = NO_PLACES
    tolerance: Length = Field(0.0, description="Accepted difference of each side.")


class GeometryTypeRule(MetadataRule):
    """Every geometry has an allowed type, and the type that the file declares."""

    rule: Literal["geometry_type"] = "geometry_type"
    scope: ClassVar[Scope] = Scope.FEATURE
    judges: ClassVar[tuple[str, ...]] = ("geometry",)
    iso_element: ClassVar[str] = "conceptual consistency"
    any_of: tuple[GeometryType, ...] = Field(min_length=1, description="Allowed types.")
    allow_multi: bool = Field(
        True,
        description="Also allow the Multi form of each allowed type; the file may declare either "
        "form.",
    )


class Dimensions(MetadataRule):
    """Every geometry has the specified dimensions (Z, M)."""

    rule: Literal["dimensions"] = "dimensions"
    scope: ClassVar[Scope] = Scope.FEATURE
    iso_element: ClassVar[str] = "conceptual consistency"
    needs: ClassVar[Needs] = Needs.some("any_of", "not_constant_zero", not_constant_zero=True)
    any_of: Annotated[tuple[Dimension, ...], Field(min_length=1)] | None = Field(
        None, description="Allowed dimensions."
    )
    not_constant_zero: bool = Field(
        False, description="Reject features whose Z or M is 0 at every vertex."
    )


class Columns(MetadataRule):
    """Columns have the specified names, types and nullability."""

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
        description="Type of each column. name!: must be non-null; if the file's schema allows "
        "nulls, the values are checked.",
    )
    extra: Literal["allow", "forbid"] = Field(
        "allow", description="Whether other columns may exist."
    )
    order: bool = Field(False, description="Require the columns of the schema in this order.")
    name_pattern: Pattern | None = Field(
        None, description="Regular expression that matches every column name as a whole."
    )
    max_name_length: int | None = Field(
        None, gt=0, description="Maximum length of a name, in characters."
    )


class FeatureCount(MetadataRule):
    """The number of features is within bounds."""

    rule: Literal["feature_count"] = "feature_count"
    scope: ClassVar[Scope] = Scope.DATASET
    iso_element: ClassVar[str] = "completeness"
    needs: ClassVar[Needs] = Needs.some("min", "max")
    ignores: ClassVar[Mapping[str, str]] = ONE_NUMBER
    min: int | None = Field(None, ge=0, description="Minimum number of features.")
    max: int | None = Field(None, ge=0, description="Maximum number of features.")

    @model_validator(mode="after")
    def _ordered(self) -> Self:
        if self.min is not None and self.max is not None and self.min > self.max:
            msg = "min is larger than max"
            raise ValueError(msg)
        return self


class NotNull(MetadataRule):
    """The columns contain no nulls. Empty text, zero and NaN are not nulls."""

    rule: Literal["not_null"] = "not_null"
    scope: ClassVar[Scope] = Scope.FEATURE
    iso_element: ClassVar[str] = "completeness"
    columns_: ColumnNames = Field(alias="columns", description="Columns without nulls.")

    def columns(self) -> tuple[str, ...]:
        """The columns named by the contract."""
        return self.columns_


class Unique(MetadataRule):
    """No two features have the same key. Every feature with a repeated key is reported.

    Keys that contain a null are not compared, as in SQL.
    """

    rule: Literal["unique"] = "unique"
    scope: ClassVar[Scope] = Scope.DATASET
    iso_element: ClassVar[str] = "logical consistency"
    columns_: ColumnNames = Field(alias="columns", description="Columns that form the key.")

    def columns(self) -> tuple[str, ...]:
        """The columns named by the contract."""
        return self.columns_


class ValueRange(MetadataRule):
    """Numbers, dates or times in a column are within bounds. Nulls are ignored, NaN is not."""

    rule: Literal["value_range"] = "value_range"
    scope: ClassVar[Scope] = Scope.FEATURE
    iso_element: ClassVar[str] = "domain consistency"
    needs: ClassVar[Needs] = Needs.some("min", "max")
    column: str = Field(description="Column to check.")
    min: Bound | None = Field(
        None, description="Smallest value: number, date or time. Times without a zone are in UTC."
    )
    max: Bound | None = Field(None, description="Largest value. A date includes the whole day.")

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
