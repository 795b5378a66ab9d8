"""Rules about how features lie to each other."""

from __future__ import annotations

from typing import ClassVar, Literal

from pydantic import Field

from spatial_pipeline.contract.rules.base import (
    Length,
    NotNegative,
    Other,
    OtherDataset,
    OtherSource,
    Rule,
)
from spatial_pipeline.contract.vocabulary import Family, Scope


class TopologyRule(Rule):
    """A rule of the topology family."""

    family: ClassVar[Family] = Family.TOPOLOGY
    iso_element: ClassVar[str] = "topological consistency"


class MustNotOverlap(TopologyRule):
    """No two polygons share an area; no two lines share a stretch."""

    rule: Literal["must_not_overlap"] = "must_not_overlap"
    scope: ClassVar[Scope] = Scope.NEIGHBOURHOOD
    judges: ClassVar[tuple[str, ...]] = ("polygon", "line")
    tolerance: NotNegative = Field(
        0.0,
        description="Overlaps of at most this area (lines: length) are accepted, CRS units.",
    )
    group_by: tuple[str, ...] = Field(
        (), description="Only features with equal values in these columns are compared."
    )

    def columns(self) -> tuple[str, ...]:
        """The columns named by the contract."""
        return self.group_by


class MustNotHaveGaps(TopologyRule):
    """Polygons leave no void between them: no bounded component of the complement of the union."""

    rule: Literal["must_not_have_gaps"] = "must_not_have_gaps"
    scope: ClassVar[Scope] = Scope.DATASET
    judges: ClassVar[tuple[str, ...]] = ("polygon",)
    min_area: NotNegative | None = Field(None, description="Voids below this area are accepted.")
    max_area: NotNegative | None = Field(
        None, description="Voids above this area are no gaps (lakes), CRS units squared."
    )
    min_width: NotNegative | None = Field(None, description="Narrower voids are accepted.")
    max_width: NotNegative | None = Field(None, description="Wider voids are no gaps, CRS units.")
    within: OtherDataset | OtherSource | None = Field(
        None, description="Area of interest: also what is missing of it is a gap."
    )
    allowed: OtherDataset | OtherSource | None = Field(None, description="Layer of known gaps.")

    def others(self) -> tuple[Other, ...]:
        """The area of interest and the known gaps, when named."""
        return tuple(o for o in (self.within, self.allowed) if o is not None)


class MustBeCoveredBy(TopologyRule):
    """Every feature is covered by the union of the other dataset; the uncovered part is shown."""

    rule: Literal["must_be_covered_by"] = "must_be_covered_by"
    scope: ClassVar[Scope] = Scope.COMPARISON
    judges: ClassVar[tuple[str, ...]] = ("geometry",)
    other: Other = Field(description="The covering dataset.")
    tolerance: NotNegative = Field(
        0.0,
        description="Uncovered parts of at most this area (lines: length) are accepted, CRS units.",
    )

    def others(self) -> tuple[Other, ...]:
        """The covering dataset."""
        return (self.other,)

    def needs_crs(self) -> bool:
        """The two datasets are brought into one CRS."""
        return True


class MustNotHaveDangles(TopologyRule):
    """Every end of a line touches another line; under- and overshoots are measured."""

    rule: Literal["must_not_have_dangles"] = "must_not_have_dangles"
    scope: ClassVar[Scope] = Scope.NEIGHBOURHOOD
    judges: ClassVar[tuple[str, ...]] = ("line",)
    tolerance: NotNegative = Field(
        0.0, description="Under- and overshoots of at most this length are accepted, CRS units."
    )
    except_within: OtherDataset | OtherSource | None = Field(
        None, description="Areas in which line ends are accepted (the edge of the map)."
    )

    def others(self) -> tuple[Other, ...]:
        """The areas of exception, when named."""
        return () if self.except_within is None else (self.except_within,)


class MatchedEdges(TopologyRule):
    """Neighbouring polygons follow their shared boundary vertex by vertex.

    A vertex that only one of two neighbours has (a T-junction), and edges that run along each other
    nearly, become overlaps and gaps as soon as anybody moves, simplifies or projects the data.
    """

    rule: Literal["matched_edges"] = "matched_edges"
    scope: ClassVar[Scope] = Scope.NEIGHBOURHOOD
    judges: ClassVar[tuple[str, ...]] = ("polygon",)
    tolerance: NotNegative = Field(
        0.0, description="Unmatched stretches of at most this length are accepted, CRS units."
    )
    distance: NotNegative = Field(
        0.0,
        description=(
            "Edges this near to each other all along count as one boundary, CRS units; 0 means up"
            " to rounding."
        ),
    )


class LargerThanClusterTolerance(TopologyRule):
    """No line or polygon collapses when vertices this close become one."""

    rule: Literal["larger_than_cluster_tolerance"] = "larger_than_cluster_tolerance"
    scope: ClassVar[Scope] = Scope.FEATURE
    judges: ClassVar[tuple[str, ...]] = ("line", "polygon")
    tolerance: Length = Field(
        description="Parts collapse when they are no longer, and polygons when they are no wider."
    )
