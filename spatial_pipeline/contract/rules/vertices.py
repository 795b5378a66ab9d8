"""Rules about the parts, rings, segments and vertices of single geometries."""

from typing import Annotated, ClassVar, Literal, Self

from pydantic import Field, model_validator

from spatial_pipeline.contract.rules.base import (
    Area,
    ContractModel,
    Finite,
    Length,
    NotNegative,
    Positive,
)
from spatial_pipeline.contract.rules.usable import Needs
from spatial_pipeline.contract.rules.validity import LimitRule, ValidityRule
from spatial_pipeline.contract.vocabulary import Scope

Count = Annotated[int, Field(ge=0)]


class VertexRule(ValidityRule):
    """A rule that judges each feature by its parts, rings, segments or vertices."""

    scope: ClassVar[Scope] = Scope.FEATURE


class CountRule(VertexRule):
    """A rule with bounds of a number."""

    needs: ClassVar[Needs] = Needs.some("min", "max")
    min: Count | None = Field(None, description="Minimum number.")
    max: Count | None = Field(None, description="Maximum number.")

    @model_validator(mode="after")
    def _ordered(self) -> Self:
        if self.min is not None and self.max is not None and self.min > self.max:
            msg = "min is larger than max"
            raise ValueError(msg)
        return self


class NoUnneededMulti(VertexRule):
    """No multi-geometry or collection has just one part."""

    rule: Literal["no_unneeded_multi"] = "no_unneeded_multi"


class ClosedLines(VertexRule):
    """Lines end where they start. The missing segment of an open line is reported."""

    rule: Literal["closed_lines"] = "closed_lines"
    judges: ClassVar[tuple[str, ...]] = ("line",)


class VertexCount(VertexRule):
    """Geometries have at most a maximum number of vertices, closing vertices of rings included."""

    rule: Literal["vertex_count"] = "vertex_count"
    max: Annotated[int, Field(ge=1)] = Field(description="Maximum number of vertices.")


class PartCount(CountRule):
    """The number of parts of each geometry is within bounds."""

    rule: Literal["part_count"] = "part_count"


class RingCount(CountRule):
    """The number of rings (shells and holes) of each feature is within bounds."""

    rule: Literal["ring_count"] = "ring_count"
    judges: ClassVar[tuple[str, ...]] = ("polygon",)


class MaxArea(LimitRule):
    """Polygons have at most a maximum area."""

    rule: Literal["max_area"] = "max_area"
    judges: ClassVar[tuple[str, ...]] = ("polygon",)
    value: Area | None = Field(None, description="Maximum area.")
    by_part: bool = Field(False, description="Check each part of a multipolygon separately.")


class MinLength(LimitRule):
    """Lines have at least a minimum length."""

    rule: Literal["min_length"] = "min_length"
    judges: ClassVar[tuple[str, ...]] = ("line",)
    value: Length | None = Field(None, description="Smallest length that is accepted.")
    by_part: bool = Field(False, description="Judge each part of a multiline by itself.")
    except_at_border: bool = Field(
        False, description="Accept lines at the edge of the dataset's extent, which may be clipped."
    )


class MaxLength(LimitRule):
    """Lines have at most a maximum length."""

    rule: Literal["max_length"] = "max_length"
    judges: ClassVar[tuple[str, ...]] = ("line",)
    value: Length | None = Field(None, description="Largest length that is accepted.")
    by_part: bool = Field(False, description="Judge each part of a multiline by itself.")


class MinSegmentLength(LimitRule):
    """Segments of lines and rings have at least a minimum length."""

    rule: Literal["min_segment_length"] = "min_segment_length"
    judges: ClassVar[tuple[str, ...]] = ("line", "polygon")
    value: Length | None = Field(None, description="Smallest length that is accepted.")
    except_at_border: bool = Field(
        False,
        description="Accept segments at the edge of the dataset's extent, which may be clipped.",
    )


class MaxSegmentLength(LimitRule):
    """Segments of lines and rings have at most a maximum length."""

    rule: Literal["max_segment_length"] = "max_segment_length"
    judges: ClassVar[tuple[str, ...]] = ("line", "polygon")
    value: Length | None = Field(None, description="Largest length that is accepted.")


class MinHoleArea(LimitRule):
    """Holes of polygons have at least a minimum area."""

    rule: Literal["min_hole_area"] = "min_hole_area"
    judges: ClassVar[tuple[str, ...]] = ("polygon",)
    value: Area | None = Field(None, description="Minimum area of a hole.")
    except_at_border: bool = Field(
        False, description="Holes that touch the bounds of the dataset may be cut, and smaller."
    )


class NoRepeatedPoints(VertexRule):
    """No vertex of a line or ring repeats the previous one."""

    rule: Literal["no_repeated_points"] = "no_repeated_points"
    judges: ClassVar[tuple[str, ...]] = ("line", "polygon")
    within: Length = Field(
        0.0, description="Maximum distance at which two vertices count as repeated."
    )


class RingOrientation(VertexRule):
    """Shells have one winding order and holes the opposite one (the right-hand rule)."""

    rule: Literal["ring_orientation"] = "ring_orientation"
    judges: ClassVar[tuple[str, ...]] = ("polygon",)
    exterior: Literal["ccw", "cw"] = Field(
        "ccw", description="Winding order of shells; ccw is that of RFC 7946 and OGC."
    )


class NoSpikes(VertexRule):
    """No corner of a line or ring is sharper than a minimum angle. Repeated points are merged."""

    rule: Literal["no_spikes"] = "no_spikes"
    judges: ClassVar[tuple[str, ...]] = ("line", "polygon")
    min_angle: Annotated[float, Field(gt=0, le=180)] = Field(
        description="Minimum angle between neighbouring segments, in degrees."
    )


class NoCurves(ValidityRule):
    """Every geometry consists of straight segments: no arcs, compound curves or curved polygons.

    Curves are read as straight lines within a bound; here each feature that had one is named. In
    drawings (DXF, MapInfo), whose reader gives lines only, the curved entities are counted.
    """

    rule: Literal["no_curves"] = "no_curves"
    scope: ClassVar[Scope] = Scope.FEATURE
    judges: ClassVar[tuple[str, ...]] = ("geometry",)


class MinWidth(VertexRule):
    """No part of a polygon is narrower than a width, measured inside it from side to side.

    Necks, arms and whole polygons count, wherever no disc of that diameter fits. Convex corners do
    not, however acute (see no_spikes), nor does what reaches less than half the width out of a wide
    part. Arms within 0.1 % of the width pass.
    """

    rule: Literal["min_width"] = "min_width"
    judges: ClassVar[tuple[str, ...]] = ("polygon",)
    value: Length = Field(gt=0, description="Smallest accepted width.")


class NoSlivers(VertexRule):
    """No polygon is a sliver (long and thin). Each part is checked separately."""

    rule: Literal["no_slivers"] = "no_slivers"
    judges: ClassVar[tuple[str, ...]] = ("polygon",)
    max_thinness: Annotated[float, Field(gt=0, le=1)] = Field(
        description="Largest thinness ratio 4πA/P² of a sliver; a circle has 1, a line 0."
    )
    max_area: Area | None = Field(None, description="Largest area of a sliver.")


class NoRedundantVertices(VertexRule):
    """No vertex lies on the straight line between its neighbours."""

    rule: Literal["no_redundant_vertices"] = "no_redundant_vertices"
    judges: ClassVar[tuple[str, ...]] = ("line", "polygon")
    max_offset: Length = Field(
        0.0,
        description="Maximum distance from the line between its neighbours at which a vertex is "
        "redundant.",
    )


class CoordinatePrecision(VertexRule):
    """Coordinates lie on a grid, or have at most a number of decimals."""

    rule: Literal["coordinate_precision"] = "coordinate_precision"
    iso_element: ClassVar[str] = "format consistency"
    needs: ClassVar[Needs] = Needs.some("grid", "max_decimals")
    grid: Positive | None = Field(None, description="Cell size of the grid, in units of the CRS.")
    max_decimals: Annotated[int, Field(ge=0, le=17)] | None = Field(
        None, description="Maximum number of decimals."
    )


class ZRange(VertexRule):
    """Z values are within bounds, and do not jump between neighbouring vertices."""

    rule: Literal["z_range"] = "z_range"
    iso_element: ClassVar[str] = "domain consistency"
    judges: ClassVar[tuple[str, ...]] = ("geometry",)
    needs: ClassVar[Needs] = Needs.some("min", "max", "max_step")
    min: Finite | None = Field(None, description="Minimum Z.")
    max: Finite | None = Field(None, description="Maximum Z.")
    max_step: NotNegative | None = Field(
        None, description="Maximum difference in Z between neighbouring vertices."
    )


class MonotonicMeasure(VertexRule):
    """M values along a line only increase, or only decrease. Equal values are accepted."""

    rule: Literal["monotonic_measure"] = "monotonic_measure"
    judges: ClassVar[tuple[str, ...]] = ("line",)
    direction: Literal["increasing", "decreasing"] = Field(
        "increasing", description="Direction of M from the start of a line to its end."
    )


class SimpleGeometry(VertexRule):
    """Geometries are simple. Every self-intersection and repeated point is reported.

    All lines of a feature are checked together, and so are its points; rings of polygons are
    checked one by one.
    """

    rule: Literal["simple_geometry"] = "simple_geometry"
    judges: ClassVar[tuple[str, ...]] = ("point", "line", "polygon")


class CoordinatesInDomain(VertexRule):
    """Coordinates lie within the area of use of the CRS. Swapped axes are recognised."""

    rule: Literal["coordinates_in_domain"] = "coordinates_in_domain"
    iso_element: ClassVar[str] = "domain consistency"

    def needs_crs(self) -> bool:
        """The area of use is that of the CRS."""
        return True


class Antimeridian(VertexRule):
    """Geometries are split at 180°, and rings around a pole pass through it (RFC 7946, 3.1.9)."""

    rule: Literal["antimeridian"] = "antimeridian"
    judges: ClassVar[tuple[str, ...]] = ("line", "polygon")

    def needs_crs(self) -> bool:
        """Longitudes depend on the CRS."""
        return True


class MeasureColumns(ContractModel):
    """Columns that store measures of the geometry."""

    area: str | None = Field(None, description="Column of the area.")
    length: str | None = Field(None, description="Column of the length.")
    perimeter: str | None = Field(None, description="Column of the perimeter.")
    x: str | None = Field(None, description="Column of x of the point, or of the centroid.")
    y: str | None = Field(None, description="Column of y of the point, or of the centroid.")
    lon: str | None = Field(None, description="Column of its longitude (WGS 84).")
    lat: str | None = Field(None, description="Column of its latitude (WGS 84).")

    @property
    def by_measure(self) -> dict[str, str]:
        """Measure → column."""
        return {n: c for n in type(self).model_fields if (c := getattr(self, n)) is not None}

    @model_validator(mode="after")
    def _some(self) -> Self:
        if not self.by_measure:
            msg = f"name a column for one of {', '.join(type(self).model_fields)}"
            raise ValueError(msg)
        return self


class MeasureTolerance(ContractModel):
    """Accepted difference of a stored measure; the larger tolerance applies."""

    absolute: NotNegative = Field(0.0, description="In units of the measure.")
    relative: NotNegative = Field(1e-6, description="Fraction of the measure.")


AREAL = ("ha", "acre")
"""Units of areas only."""


class MeasuresMatch(VertexRule):
    """Measures stored in columns equal those of the geometry. Nulls are violations."""

    rule: Literal["measures_match"] = "measures_match"
    iso_element: ClassVar[str] = "quantitative attribute accuracy"
    columns_: MeasureColumns = Field(
        alias="columns",
        description="Column of each measure: area, length, perimeter, x, y, lon, lat.",
    )
    tolerance: MeasureTolerance = Field(
        MeasureTolerance(), description="Accepted difference: absolute or relative."
    )
    unit: Literal["m", "km", "ft", "mi", "ha", "acre"] | None = Field(
        None,
        description="Unit of stored lengths, and squared that of areas; ha and acre are units of "
        "areas. That of the CRS unless given.",
    )
    geodesic: bool = Field(
        False,
        description="Measure areas, lengths and perimeters on the ellipsoid, in metres unless a "
        "unit is given.",
    )

    @model_validator(mode="after")
    def _unit_fits(self) -> Self:
        lengths = {"length", "perimeter"} & self.columns_.by_measure.keys()
        if self.unit in AREAL and lengths:
            msg = f"unit: {self.unit} is a unit of areas, not of {' and '.join(sorted(lengths))}"
            raise ValueError(msg)
        return self

    def columns(self) -> tuple[str, ...]:
        """The columns of the measures."""
        return tuple(dict.fromkeys(self.columns_.by_measure.values()))

    def needs_crs(self) -> bool:
        """Longitude, latitude and units are those of the CRS."""
        placed = self.columns_.lon is not None or self.columns_.lat is not None
        return placed or self.geodesic or self.unit is not None
