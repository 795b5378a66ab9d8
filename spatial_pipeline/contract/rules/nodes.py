"""Rules about ends of lines, nodes and points that belong on something."""

from typing import Annotated, ClassVar, Literal

from pydantic import Field

from spatial_pipeline.contract.rules.base import Length
from spatial_pipeline.contract.rules.overlay import OverlayRule, OwnOrOtherRule
from spatial_pipeline.contract.rules.topology import TopologyRule
from spatial_pipeline.contract.rules.usable import Needs
from spatial_pipeline.contract.vocabulary import Scope

Between = Literal["node-node", "node-edge", "vertex-edge"]


class PlacedOnRule(OverlayRule):
    """A rule about points that must lie on something of the other dataset."""

    judges: ClassVar[tuple[str, ...]] = ("point",)
    tolerance: Length = Field(0.0, description="Distances up to this are accepted.")


class EndpointMustBeCoveredBy(PlacedOnRule):
    """Both ends of every line lie on points of the other dataset."""

    rule: Literal["endpoint_must_be_covered_by"] = "endpoint_must_be_covered_by"
    judges: ClassVar[tuple[str, ...]] = ("line",)


class MustBeCoveredByLine(PlacedOnRule):
    """Every point lies on a line of the other dataset."""

    rule: Literal["must_be_covered_by_line"] = "must_be_covered_by_line"


class MustBeCoveredByEndpoint(PlacedOnRule):
    """Every point lies on an end of a line of the other dataset."""

    rule: Literal["must_be_covered_by_endpoint"] = "must_be_covered_by_endpoint"


class MustBeCoveredByBoundary(PlacedOnRule):
    """Every point lies on the boundary of a polygon of the other dataset."""

    rule: Literal["must_be_covered_by_boundary"] = "must_be_covered_by_boundary"


class MustCoincideWith(PlacedOnRule):
    """Every point lies on a point of the other dataset."""

    rule: Literal["must_coincide_with"] = "must_coincide_with"


class LinesRule(TopologyRule):
    """A rule about lines of one dataset."""

    scope: ClassVar[Scope] = Scope.NEIGHBOURHOOD
    judges: ClassVar[tuple[str, ...]] = ("line",)


class MustNotHavePseudoNodes(LinesRule):
    """No node has just two line ends, because these lines could be one line (a pseudo-node)."""

    rule: Literal["must_not_have_pseudo_nodes"] = "must_not_have_pseudo_nodes"
    same_columns: tuple[str, ...] = Field(
        (), description="Only lines with equal values in these columns could be one line."
    )

    def columns(self) -> tuple[str, ...]:
        """The columns that are compared."""
        return self.same_columns


class NodeValency(LinesRule):
    """The number of line ends that meet in each node is within bounds."""

    rule: Literal["node_valency"] = "node_valency"
    needs: ClassVar[Needs] = Needs.some("min", "max")
    min: int | None = Field(None, ge=1, description="Minimum number of line ends in a node.")
    max: int | None = Field(None, ge=1, description="Maximum number of line ends in a node.")


class MustNotTouchInterior(LinesRule):
    """Lines meet each other at their ends only."""

    rule: Literal["must_not_touch_interior"] = "must_not_touch_interior"


class ConsistentZAtIntersection(LinesRule):
    """Lines that meet in the plane have the same Z there; between vertices it is interpolated."""

    rule: Literal["consistent_z_at_intersection"] = "consistent_z_at_intersection"
    tolerance: Annotated[float, Field(ge=0, allow_inf_nan=False)] = Field(
        0.0, description="Differences of Z up to this are accepted."
    )


class LinePairsRule(OwnOrOtherRule):
    """A rule about pairs of lines, some of which do not meet in fact."""

    judges: ClassVar[tuple[str, ...]] = ("line",)
    unless_differs: tuple[str, ...] = Field(
        (), description="Lines with different values in one of these columns never meet (levels)."
    )

    def columns(self) -> tuple[str, ...]:
        """The columns that are compared."""
        return tuple(dict.fromkeys((*super().columns(), *self.unless_differs)))


class NoNearMisses(LinePairsRule):
    """No node lies near a node or line without touching it."""

    rule: Literal["no_near_misses"] = "no_near_misses"
    within: Length = Field(gt=0, description="Distance up to which a miss is looked for.")
    between: Annotated[tuple[Between, ...], Field(min_length=1)] = Field(
        ("node-node", "node-edge"),
        description="What comes too near: ends to ends, ends to lines, other vertices to lines.",
    )


class LinesSplitAt(LinePairsRule):
    """Lines that meet in a point have a node there."""

    rule: Literal["lines_split_at"] = "lines_split_at"
    require: Literal["node", "vertex"] = Field(
        "node", description="node: both lines end there; vertex: both have a vertex there."
    )
