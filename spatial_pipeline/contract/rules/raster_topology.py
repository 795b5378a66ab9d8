"""Rules about how rasters lie to each other, and to features."""

from typing import ClassVar, Literal

from pydantic import Field

from spatial_pipeline.contract.rules.base import (
    RASTER,
    Area,
    NotNegative,
    Other,
    OtherSource,
)
from spatial_pipeline.contract.rules.topology import TopologyRule
from spatial_pipeline.contract.rules.validity import Band
from spatial_pipeline.contract.vocabulary import Bounds, Kind, Scope


class TileRule(TopologyRule):
    """A rule about a raster and the other tiles of one dataset."""

    kinds: ClassVar[frozenset[Kind]] = RASTER
    scope: ClassVar[Scope] = Scope.COMPARISON
    others_: tuple[Other | str, ...] = Field(
        alias="others", min_length=1, description="The other tiles (or their uris)."
    )

    def others(self) -> tuple[Other, ...]:
        """The other tiles."""
        return tuple(
            OtherSource(uri=o, layer=None) if isinstance(o, str) else o for o in self.others_
        )

    def needs_crs(self) -> bool:
        """Tiles are brought into one CRS."""
        return True


class TilesMustNotOverlap(TileRule):
    """No two tiles share an area."""

    rule: Literal["tiles_must_not_overlap"] = "tiles_must_not_overlap"
    tolerance: Area = Field(0.0, description="Overlaps up to this area are accepted.")


class TilesMustNotHaveGaps(TileRule):
    """Tiles leave nothing out between them, or within an extent."""

    names_neighbours: ClassVar[bool] = True

    rule: Literal["tiles_must_not_have_gaps"] = "tiles_must_not_have_gaps"
    tolerance: Area = Field(0.0, description="Gaps up to this area are accepted.")
    within: Bounds | None = Field(
        None,
        description="[xmin, ymin, xmax, ymax] to be covered; enclosed gaps only unless given.",
    )


class TileEdgesMustMatch(TileRule):
    """Pixels on both sides of the seam of two tiles differ by no more than allowed."""

    rule: Literal["tile_edges_must_match"] = "tile_edges_must_match"
    band: Band | None = Field(None, description="Band number, from 1. Default: all bands.")
    max_difference: NotNegative = Field(
        description="Largest difference of two pixels beside each other."
    )


class RasterMustCover(TopologyRule):
    """A raster has data everywhere in the polygons of another dataset."""

    rule: Literal["raster_must_cover"] = "raster_must_cover"
    kinds: ClassVar[frozenset[Kind]] = RASTER
    scope: ClassVar[Scope] = Scope.COMPARISON
    other: Other = Field(description="The polygons to cover.")
    band: Band | None = Field(None, description="Band number, from 1. Default: all bands.")

    def others(self) -> tuple[Other, ...]:
        """The polygons."""
        return (self.other,)

    def other_kind(self, kind: Kind) -> Kind:  # noqa: ARG002 - the same for every kind
        """Polygons."""
        return "vector"

    def needs_crs(self) -> bool:
        """Polygons are brought into the CRS of the raster."""
        return True
