"""Rules about the parts, rings, segments and vertices of single geometries."""

from __future__ import annotations

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
    min: Count | None = Field(None, description="Smallest number that is accepted.")
    max: Count | None = Field(None, description="Largest number that is accepted.")

    @model_validator(mode="after")
    def _ordered(self) -> Self:
        if self.min is not None and self.max is not None and self.min > self.max:
            msg = "min is larger than max"
            raise ValueError(msg)
        return self


class NoUnneededMulti(VertexRule):
    """No multi-geometry and no collection has only one part."""

    rule: Literal["no_unneeded_multi"] = "no_unneeded_multi"


class ClosedLines(VertexRule):
    """Lines end where they start; the missing segment of each other one is shown."""

    rule: Literal["closed_lines"] = "closed_lines"
    judges: ClassVar[tuple[str, ...]] = ("line",)


class VertexCount(VertexRule):
    """No geometry has more vertices; the last vertex of a ring counts too."""

    rule: Literal["vertex_count"] = "vertex_count"
    max: Annotated[int, Field(ge=1)] = Field(description="Largest number of vertices.")


class PartCount(CountRule):
    """Every geometry has as many parts as promised."""

    rule: Literal["part_count"] = "part_count"


class RingCount(CountRule):
    """The polygons of a feature have as many rings, shells and holes, as promised."""

    rule: Literal["ring_count"] = "ring_count"
    judges: ClassVar[tuple[str, ...]] = ("polygon",)


class MaxArea(LimitRule):
    """Polygons are at most so large."""

    rule: Literal["max_area"] = "max_area"
    judges: ClassVar[tuple[str, ...]] = ("polygon",)
    value: Area | None = Field(None, description="Largest area that is accepted.")
    by_part: bool = Field(False, description="Judge each part of a multipolygon by itself.")


class MinLength(LimitRule):
    """Lines are at least so long."""

    rule: Literal["min_length"] = "min_length"
    judges: ClassVar[tuple[str, ...]] = ("line",)
    value: Length | None = Field(None, description="Smallest length that is accepted.")
    by_part: bool = Field(False, description="Judge each part of a multiline by itself.")
    except_at_border: bool = Field(
        False, description="Lines that touch the bounds of the dataset may be cut, and shorter."
    )


class MaxLength(LimitRule):
    """Lines are at most so long."""

    rule: Literal["max_length"] = "max_length"
    judges: ClassVar[tuple[str, ...]] = ("line",)
    value: Length | None = Field(None, description="Largest length that is accepted.")
    by_part: bool = Field(False, description="Judge each part of a multiline by itself.")


class MinSegmentLength(LimitRule):
    """Segments of lines and rings are at least so long."""

    rule: Literal["min_segment_length"] = "min_segment_length"
    judges: ClassVar[tuple[str, ...]] = ("line", "polygon")
    value: Length | None = Field(None, description="Smallest length that is accepted.")
    except_at_border: bool = Field(
        False, description="Segments that touch the bounds of the dataset may be cut, and shorter."
    )


class MaxSegmentLength(LimitRule):
    """Segments of lines and rings are at most so long."""

    rule: Literal["max_segment_length"] = "max_segment_length"
    judges: ClassVar[tuple[str, ...]] = ("line", "polygon")
    value: Length | None = Field(None, description="Largest length that is accepted.")


class MinHoleArea(LimitRule):
    """Holes of polygons are at least so large."""

    rule: Literal["min_hole_area"] = "min_hole_area"
    judges: ClassVar[tuple[str, ...]] = ("polygon",)
    value: Area | None = Field(None, description="Smallest area of a hole that is accepted.")
    except_at_border: bool = Field(
        False, description="Holes that touch the bounds of the dataset may be cut, and smaller."
    )


class NoRepeatedPoints(VertexRule):
    """No vertex of a line or a ring repeats the one before it."""

    rule: Literal["no_repeated_points"] = "no_repeated_points"
    judges: ClassVar[tuple[str, ...]] = ("line", "polygon")
    within: Length = Field(0.0, description="Vertices up to this distance apart are repeated.")


class RingOrientation(VertexRule):
    """Shells run in one direction and holes in the other (the right-hand rule)."""

    rule: Literal["ring_orientation"] = "ring_orientation"
    judges: ClassVar[tuple[str, ...]] = ("polygon",)
    exterior: Literal["ccw", "cw"] = Field(
        "ccw", description="Direction of shells: ccw is that of RFC 7946 and OGC."
    )


class NoSpikes(VertexRule):
    """No corner of a line or a ring is sharper; repeated points count as one vertex."""

    rule: Literal["no_spikes"] = "no_spikes"
    judges: ClassVar[tuple[str, ...]] = ("line", "polygon")
    min_angle: Annotated[float, Field(gt=0, le=180)] = Field(
        description="Smallest angle between neighbouring segments that is accepted, in degrees."
    )


class NoSlivers(VertexRule):
    """No polygon is long and thin; each part is judged by itself."""

    rule: Literal["no_slivers"] = "no_slivers"
    judges: ClassVar[tuple[str, ...]] = ("polygon",)
    max_thinness: Annotated[float, Field(gt=0, le=1)] = Field(
        description="Polygons are slivers up to this thinness, 4πA/P²: 1 is a circle, 0 a line."
    )
    max_area: Area | None = Field(None, description="Larger polygons are no slivers.")


class NoRedundantVertices(VertexRule):
    """Every vertex between two others changes the line or ring that it belongs to."""

    rule: Literal["no_redundant_vertices"] = "no_redundant_vertices"
    judges: ClassVar[tuple[str, ...]] = ("line", "polygon")
    max_offset: Length = Field(
        0.0,
        description="A vertex is redundant up to this distance from the line between its "
        "neighbours.",
    )


class CoordinatePrecision(VertexRule):
    """Coordinates lie on a grid, or have no more decimals than promised."""

    rule: Literal["coordinate_precision"] = "coordinate_precision"
    iso_element: ClassVar[str] = "format consistency"
    needs: ClassVar[Needs] = Needs.some("grid", "max_decimals")
    grid: Positive | None = Field(None, description="Size of the grid, units of the CRS.")
    max_decimals: Annotated[int, Field(ge=0, le=17)] | None = Field(
        None, description="Largest number of decimals."
    )


class ZRange(VertexRule):
    """Elevations lie within bounds, and change little from vertex to vertex."""

    rule: Literal["z_range"] = "z_range"
    iso_element: ClassVar[str] = "domain consistency"
    judges: ClassVar[tuple[str, ...]] = ("geometry",)
    needs: ClassVar[Needs] = Needs.some("min", "max", "max_step")
    min: Finite | None = Field(None, description="Smallest Z that is accepted.")
    max: Finite | None = Field(None, description="Largest Z that is accepted.")
    max_step: NotNegative | None = Field(
        None, description="Largest difference in Z between neighbouring vertices."
    )


class MonotonicMeasure(VertexRule):
    """M never turns back along a line; equal values are accepted."""

    rule: Literal["monotonic_measure"] = "monotonic_measure"
    judges: ClassVar[tuple[str, ...]] = ("line",)
    direction: Literal["increasing", "decreasing"] = Field(
        "increasing", description="How M changes from the start of a line to its end."
    )


class SimpleGeometry(VertexRule):
    """Lines and multipoints are simple: every self-intersection and repeated point is shown.

    The lines of a feature are judged together, and so are its points.
    """

    rule: Literal["simple_geometry"] = "simple_geometry"
    judges: ClassVar[tuple[str, ...]] = ("point", "line")


class CoordinatesInDomain(VertexRule):
    """Coordinates lie inside the area of use of the CRS; swapped ones are named as such."""

    rule: Literal["coordinates_in_domain"] = "coordinates_in_domain"
    iso_element: ClassVar[str] = "domain consistency"

    def needs_crs(self) -> bool:
        """The area of use is that of the CRS."""
        return True


class Antimeridian(VertexRule):
    """Nothing crosses 180° unsplit, and rings around a pole pass through it (RFC 7946, 3.1.9)."""

    rule: Literal["antimeridian"] = "antimeridian"
    judges: ClassVar[tuple[str, ...]] = ("line", "polygon")

    def needs_crs(self) -> bool:
        """Longitudes are told by the CRS."""
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
    """Accepted difference of a stored measure; the larger one counts."""

    absolute: NotNegative = Field(0.0, description="In units of the measure.")
    relative: NotNegative = Field(1e-6, description="Share of the measure.")


class MeasuresMatch(VertexRule):
    """Stored measures are those of the geometry; a null is none."""

    rule: Literal["measures_match"] = "measures_match"
    iso_element: ClassVar[str] = "quantitative attribute accuracy"
    columns_: MeasureColumns = Field(
        alias="columns", description="Measure → column: area, length, perimeter, x, y, lon, lat."
    )
    tolerance: MeasureTolerance = Field(
        MeasureTolerance(), description="Accepted difference: absolute or relative."
    )

    def columns(self) -> tuple[str, ...]:
        """The columns of the measures."""
        return tuple(dict.fromkeys(self.columns_.by_measure.values()))

    def needs_crs(self) -> bool:
        """Longitude and latitude are those of the CRS."""
        return self.columns_.lon is not None or self.columns_.lat is not None
