"""Rules about the spatial relations between features."""

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
from spatial_pipeline.contract.rules.others import OthersRule
from spatial_pipeline.contract.vocabulary import Family, Scope


class TopologyRule(Rule):
    """A rule of the topology family."""

    family: ClassVar[Family] = Family.TOPOLOGY
    iso_element: ClassVar[str] = "topological consistency"


class MustNotOverlap(TopologyRule):
    """No two polygons share area, and no two lines share a section."""

    rule: Literal["must_not_overlap"] = "must_not_overlap"
    scope: ClassVar[Scope] = Scope.NEIGHBOURHOOD
    judges: ClassVar[tuple[str, ...]] = ("polygon", "line")
    tolerance: NotNegative = Field(
        0.0,
        description="Overlaps of at most this area (lines: length) are accepted.",
    )
    group_by: tuple[str, ...] = Field(
        (), description="Compare only features with equal values in these columns."
    )

    def columns(self) -> tuple[str, ...]:
        """The columns named by the contract."""
        return self.group_by


class MustNotHaveGaps(TopologyRule):
    """Polygons leave no gaps: there is no hole enclosed by the polygons together."""

    names_neighbours: ClassVar[bool] = True

    rule: Literal["must_not_have_gaps"] = "must_not_have_gaps"
    scope: ClassVar[Scope] = Scope.DATASET
    judges: ClassVar[tuple[str, ...]] = ("polygon",)
    min_area: NotNegative | None = Field(None, description="Smaller gaps are accepted.")
    max_area: NotNegative | None = Field(
        None, description="Larger holes are not gaps but, for example, lakes."
    )
    min_width: NotNegative | None = Field(None, description="Narrower gaps are accepted.")
    max_width: NotNegative | None = Field(None, description="Wider holes are not gaps.")
    within: OtherDataset | OtherSource | None = Field(
        None, description="Area that must be filled: uncovered parts are gaps too."
    )
    allowed: OtherDataset | OtherSource | None = Field(
        None, description="Layer of polygons with known gaps, which are accepted."
    )

    def others(self) -> tuple[Other, ...]:
        """The area of interest and the known gaps, when named."""
        return tuple(o for o in (self.within, self.allowed) if o is not None)


class MustBeCoveredBy(OthersRule, TopologyRule):
    """The union of another dataset covers every feature. Uncovered parts are reported."""

    rule: Literal["must_be_covered_by"] = "must_be_covered_by"
    scope: ClassVar[Scope] = Scope.COMPARISON
    judges: ClassVar[tuple[str, ...]] = ("geometry",)
    other: Other | None = Field(None, description="The covering dataset.")
    tolerance: NotNegative = Field(
        0.0,
        description="Uncovered parts of at most this area (lines: length) are accepted.",
    )

    def needs_crs(self) -> bool:
        """The two datasets are brought into one CRS."""
        return True


class MustNotHaveDangles(TopologyRule):
    """Every end of a line touches another line. Under- and overshoots are measured."""

    rule: Literal["must_not_have_dangles"] = "must_not_have_dangles"
    scope: ClassVar[Scope] = Scope.NEIGHBOURHOOD
    judges: ClassVar[tuple[str, ...]] = ("line",)
    tolerance: NotNegative = Field(
        0.0, description="Under- and overshoots of at most this length are accepted."
    )
    except_within: OtherDataset | OtherSource | None = Field(
        None, description="Areas where lines may end, for example at the edge of the map."
    )

    def others(self) -> tuple[Other, ...]:
        """The areas of exception, when named."""
        return () if self.except_within is None else (self.except_within,)


class MatchedEdges(TopologyRule):
    """Neighbouring polygons follow their shared boundary vertex by vertex.

    A vertex of only one of two neighbours (a T-junction), or edges that nearly coincide, become
    overlaps and gaps as soon as the data are moved, simplified or reprojected.
    """

    rule: Literal["matched_edges"] = "matched_edges"
    scope: ClassVar[Scope] = Scope.NEIGHBOURHOOD
    judges: ClassVar[tuple[str, ...]] = ("polygon",)
    tolerance: NotNegative = Field(
        0.0, description="Unmatched sections of at most this length are accepted."
    )
    distance: NotNegative = Field(
        0.0,
        description=(
            "Maximum distance at which two edges count as one boundary; 0 allows for rounding only."
        ),
    )


class LargerThanClusterTolerance(TopologyRule):
    """No line or polygon collapses when vertices within the tolerance are merged."""

    rule: Literal["larger_than_cluster_tolerance"] = "larger_than_cluster_tolerance"
    scope: ClassVar[Scope] = Scope.FEATURE
    judges: ClassVar[tuple[str, ...]] = ("line", "polygon")
    tolerance: Length = Field(
        description="Cluster tolerance. Parts of at most this length, and polygons of at most this "
        "width, collapse."
    )
