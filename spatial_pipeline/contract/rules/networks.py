"""Rules about lines as a network: nodes are places of exactly equal ends."""

from typing import Annotated, ClassVar, Literal

from pydantic import Field

from spatial_pipeline.contract.rules.base import Length, Other
from spatial_pipeline.contract.rules.overlay import OverlayRule
from spatial_pipeline.contract.rules.topology import TopologyRule
from spatial_pipeline.contract.vocabulary import Scope


class NetworkRule(TopologyRule):
    """A rule about all lines of a dataset together."""

    scope: ClassVar[Scope] = Scope.DATASET
    judges: ClassVar[tuple[str, ...]] = ("line",)


class MustBeSingleComponent(NetworkRule):
    """The lines form one connected network."""

    rule: Literal["must_be_single_component"] = "must_be_single_component"
    max_components: int = Field(
        1, ge=1, description="Number of components that are accepted, those of most lines first."
    )


class MustBeAcyclic(NetworkRule):
    """The directed lines contain no cycle."""

    rule: Literal["must_be_acyclic"] = "must_be_acyclic"


class MustReach(NetworkRule):
    """Every line leads to a point of the other dataset, along the direction of lines."""

    rule: Literal["must_reach"] = "must_reach"
    other: Other = Field(description="The points, exactly on nodes: sinks, or sources.")
    against: bool = Field(
        False, description="The points are sources: ways are followed against the direction."
    )
    directed: bool = Field(True, description="false: lines are followed both ways.")

    def others(self) -> tuple[Other, ...]:
        """The points."""
        return (self.other,)

    def needs_crs(self) -> bool:
        """The two datasets are brought into one CRS."""
        return True


class FlowsDownhill(TopologyRule):
    """Lines with Z never rise along their direction."""

    rule: Literal["flows_downhill"] = "flows_downhill"
    scope: ClassVar[Scope] = Scope.FEATURE
    judges: ClassVar[tuple[str, ...]] = ("line",)
    tolerance: Annotated[float, Field(ge=0, allow_inf_nan=False)] = Field(
        0.0, description="Rises above the lowest vertex before of at most this are accepted."
    )


class EndpointsMatchReferences(OverlayRule):
    """Both ends of a line lie at the nodes that its columns name."""

    rule: Literal["endpoints_match_references"] = "endpoints_match_references"
    judges: ClassVar[tuple[str, ...]] = ("line",)
    start: str = Field(description="Column that names the node at the start of a line.")
    end: str = Field(description="Column that names the node at its end.")
    other_key: str = Field(description="Column of the nodes in the other dataset.")
    tolerance: Length = Field(0.0, description="Distances up to this are accepted.")

    def columns(self) -> tuple[str, ...]:
        """The columns with the names."""
        return (self.start, self.end)
