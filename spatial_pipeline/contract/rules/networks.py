"""Rules about lines as a network: nodes are places of exactly equal ends."""

from typing import Annotated, ClassVar, Literal, cast

from pydantic import Field

from spatial_pipeline.contract.rules.base import Length, Other
from spatial_pipeline.contract.rules.others import OthersRule
from spatial_pipeline.contract.rules.overlay import OverlayRule
from spatial_pipeline.contract.rules.topology import TopologyRule
from spatial_pipeline.contract.vocabulary import Kind, Scope


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


class BarredRule(NetworkRule):
    """A rule about ways along lines, which barriers end."""

    newer: ClassVar[frozenset[str]] = NetworkRule.newer | {"barriers"}
    barriers: Other | None = Field(
        None, description="Points exactly on nodes, such as dams: no way leads on from them."
    )

    def others(self) -> tuple[Other, ...]:
        """The barriers, when named, after what else the rule names."""
        found = cast("tuple[Other, ...]", super().others())
        return found if self.barriers is None else (*found, self.barriers)

    def needs_crs(self) -> bool:
        """The datasets are brought into one CRS."""
        return bool(self.others())


class MustBeAcyclic(BarredRule):
    """The directed lines contain no cycle."""

    rule: Literal["must_be_acyclic"] = "must_be_acyclic"


class MustReach(BarredRule, OthersRule):
    """Every line leads to a point of the other dataset, along the direction of lines."""

    rule: Literal["must_reach"] = "must_reach"
    newer: ClassVar[frozenset[str]] = BarredRule.newer | OthersRule.newer
    other: Other | None = Field(
        None, description="The points, exactly on nodes: sinks, or sources."
    )
    against: bool = Field(
        False, description="The points are sources: ways are followed against the direction."
    )
    directed: bool = Field(True, description="false: lines are followed both ways.")


class FlowsDownhill(TopologyRule):
    """Lines never rise along their direction, by their Z or by a raster of elevations."""

    rule: Literal["flows_downhill"] = "flows_downhill"
    newer: ClassVar[frozenset[str]] = TopologyRule.newer | {"raster", "band"}
    scope: ClassVar[Scope] = Scope.FEATURE
    judges: ClassVar[tuple[str, ...]] = ("line",)
    tolerance: Annotated[float, Field(ge=0, allow_inf_nan=False)] = Field(
        0.0, description="Rises above the lowest vertex before of at most this are accepted."
    )
    raster: Other | None = Field(
        None,
        description="Raster of elevations, in place of Z: each vertex has the value of the pixel "
        "that it lies in.",
    )
    band: int = Field(1, ge=1, description="Band with the elevations, from 1.")

    def others(self) -> tuple[Other, ...]:
        """The raster, when named."""
        return () if self.raster is None else (self.raster,)

    def other_kind(self, kind: Kind) -> Kind:  # noqa: ARG002 - whatever the dataset is
        """Elevations are a raster."""
        return "raster"

    def needs_crs(self) -> bool:
        """Vertices are looked up in the raster by their place."""
        return self.raster is not None


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
