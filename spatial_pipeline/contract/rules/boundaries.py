"""Rules about boundaries, about lines that meet themselves, and about values by place."""

from typing import Annotated, ClassVar, Literal, Self

from pydantic import Field, model_validator

from spatial_pipeline.contract.rules.base import (
    ContractModel,
    Finite,
    Fraction,
    Length,
    Other,
    OtherDataset,
    OtherSource,
    Positive,
)
from spatial_pipeline.contract.rules.overlay import OverlayRule
from spatial_pipeline.contract.rules.topology import TopologyRule
from spatial_pipeline.contract.vocabulary import Scope

Columns = Annotated[tuple[str, ...], Field(min_length=1)]


class CoveredLinesRule(OverlayRule):
    """A rule about lines or boundaries that must run along something of the other dataset."""

    judges: ClassVar[tuple[str, ...]] = ("polygon",)
    tolerance: Length = Field(
        0.0, description="Uncovered parts of at most this length are accepted."
    )


class BoundaryMustBeCoveredBy(CoveredLinesRule):
    """Lines of the other dataset cover the boundary of every polygon."""

    rule: Literal["boundary_must_be_covered_by"] = "boundary_must_be_covered_by"


class AreaBoundaryMustBeCoveredByBoundary(CoveredLinesRule):
    """Boundaries of polygons of the other dataset cover the boundary of every polygon."""

    rule: Literal["area_boundary_must_be_covered_by_boundary"] = (
        "area_boundary_must_be_covered_by_boundary"
    )


class MustFollowBoundaries(CoveredLinesRule):
    """Boundaries of polygons of the other dataset cover every line."""

    rule: Literal["must_follow_boundaries"] = "must_follow_boundaries"
    judges: ClassVar[tuple[str, ...]] = ("line",)


class BoundaryBetween(ContractModel):
    """Kinds of polygons whose shared boundary is judged."""

    a_where: str = Field(description="SQL condition on one of two neighbours.")
    b_where: str = Field(description="SQL condition on the other one.")


class BoundedBy(CoveredLinesRule):
    """Lines of an allowed kind cover the boundary of every polygon, or that between two kinds.

    With ``between``, only boundaries that a polygon of one kind shares with one of the other kind
    are judged: no parcel borders on a road but along a fence.
    """

    rule: Literal["bounded_by"] = "bounded_by"
    line_where: str | None = Field(
        None, description="SQL condition: only these lines of the other dataset may be boundaries."
    )
    between: BoundaryBetween | None = Field(
        None, description="Kinds of neighbours; without it, the whole boundary of every polygon."
    )

    def conditions(self) -> tuple[str, ...]:
        """The conditions on neighbours."""
        return () if self.between is None else (self.between.a_where, self.between.b_where)


class TileGrid(ContractModel):
    """A grid of tiles or sheets."""

    origin: tuple[Finite, Finite] = Field(description="Corner of any tile: [x, y].")
    size: Positive | tuple[Positive, Positive] = Field(
        description="Side of a tile, or [x, y], in units of the CRS."
    )


class MustContinueAcross(TopologyRule):
    """Features that end on a border (of sheets, tiles, districts) continue on its other side.

    The end of a line on the border meets the end of a line from the other side; the edge of a
    polygon on the border is an edge of polygons on the other side. ``match`` names columns that
    must have equal values, too. Lines that run along the border are not judged.
    """

    rule: Literal["must_continue_across"] = "must_continue_across"
    scope: ClassVar[Scope] = Scope.COMPARISON
    judges: ClassVar[tuple[str, ...]] = ("polygon", "line")
    border: OtherDataset | OtherSource | TileGrid = Field(
        description="The borders: lines or polygons of a dataset, or a grid: {origin, size}."
    )
    tolerance: Length = Field(
        0.0, description="Accepted distance of partners; unmatched edges up to it are accepted."
    )
    within: Length = Field(
        0.0, description="Ends and edges up to this distance from the border lie on it."
    )
    match: dict[str, str] = Field(
        default_factory=dict,
        description="Column → column of the feature on the other side, with equal values.",
    )

    def columns(self) -> tuple[str, ...]:
        """The columns that are compared, on either side."""
        return tuple(dict.fromkeys((*self.match, *self.match.values())))

    def others(self) -> tuple[Other, ...]:
        """The borders, when they are a dataset."""
        return () if isinstance(self.border, TileGrid) else (self.border,)

    def needs_crs(self) -> bool:
        """Borders of a dataset are brought into the CRS of this one."""
        return bool(self.others())


class NeighboursMustDiffer(TopologyRule):
    """Polygons with a shared boundary differ in their values; else they should be one polygon."""

    rule: Literal["neighbours_must_differ"] = "neighbours_must_differ"
    scope: ClassVar[Scope] = Scope.NEIGHBOURHOOD
    judges: ClassVar[tuple[str, ...]] = ("polygon",)
    values: Columns = Field(description="Columns, of which one at least must differ.")
    except_where: str | None = Field(
        None, description="SQL condition: polygons that meet it may equal their neighbours."
    )
    tolerance: Length = Field(
        0.0, description="Shared boundaries of at most this length are accepted."
    )

    def columns(self) -> tuple[str, ...]:
        """The columns that are compared."""
        return self.values

    def conditions(self) -> tuple[str, ...]:
        """The condition on polygons that are excepted."""
        return () if self.except_where is None else (self.except_where,)


class GroupsMustBeContiguous(TopologyRule):
    """Polygons with equal values form one piece: each is reached over shared boundaries."""

    rule: Literal["groups_must_be_contiguous"] = "groups_must_be_contiguous"
    scope: ClassVar[Scope] = Scope.NEIGHBOURHOOD
    judges: ClassVar[tuple[str, ...]] = ("polygon",)
    group_by: Columns = Field(description="Columns whose values name the group of a polygon.")
    min_shared_length: Length = Field(
        0.0, description="Polygons that share less than this length of boundary are not joined."
    )
    allow_islands: bool = Field(
        False, description="Pieces that share a boundary with no other group are accepted."
    )

    def columns(self) -> tuple[str, ...]:
        """The columns that name groups."""
        return self.group_by


class SelfMeetingRule(TopologyRule):
    """A rule about a line and itself."""

    scope: ClassVar[Scope] = Scope.FEATURE
    judges: ClassVar[tuple[str, ...]] = ("line",)


class MustNotSelfOverlap(SelfMeetingRule):
    """No line runs over itself."""

    rule: Literal["must_not_self_overlap"] = "must_not_self_overlap"
    tolerance: Length = Field(0.0, description="Sections of at most this length are accepted.")


class MustNotSelfIntersect(SelfMeetingRule):
    """No line crosses, touches or runs over itself; its ends may meet each other."""

    rule: Literal["must_not_self_intersect"] = "must_not_self_intersect"


class ValuesMatchLocation(OverlayRule):
    """Values of features equal those of the polygons that contain them, or that lie beside them.

    ``side: nearest`` compares with the nearest polygon; ``left`` and ``right`` with the polygons on
    one side of a line, seen in its direction, at ``max_distance`` from it.
    """

    rule: Literal["values_match_location"] = "values_match_location"
    values: dict[str, str] = Field(
        min_length=1, description="Own column → column of the polygons with the same values."
    )
    min_share: Fraction = Field(
        1.0,
        gt=0,
        description="Smallest share of a feature (area, length or points) that lies in polygons "
        "with its values.",
    )

    side: Literal["inside", "nearest", "left", "right"] = Field(
        "inside", description="Where the polygons lie, seen from the feature."
    )
    max_distance: Length | None = Field(
        None,
        gt=0,
        description="nearest: how far the polygon may be; left and right: how far beside the line.",
    )

    @model_validator(mode="after")
    def _beside(self) -> Self:
        if (self.side == "inside") != (self.max_distance is None):
            msg = "max_distance: side nearest, left and right need it, inside takes none"
            raise ValueError(msg)
        return self

    def columns(self) -> tuple[str, ...]:
        """The own columns that are compared."""
        return tuple(self.values)
