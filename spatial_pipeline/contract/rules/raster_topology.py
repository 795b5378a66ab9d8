"""Rules about how rasters lie to each other, and to features."""

from __future__ import annotations

from typing import ClassVar, Literal

from pydantic import Field

from spatial_pipeline.contract.rules.base import (
    RASTER,
    Other,
)
from spatial_pipeline.contract.rules.topology import TopologyRule
from spatial_pipeline.contract.rules.validity import Band
from spatial_pipeline.contract.vocabulary import Kind, Scope


class RasterMustCover(TopologyRule):
    """A raster has data everywhere in the polygons of another dataset."""

    rule: Literal["raster_must_cover"] = "raster_must_cover"
    kinds: ClassVar[frozenset[Kind]] = RASTER
    scope: ClassVar[Scope] = Scope.COMPARISON
    other: Other = Field(description="The polygons to cover.")
    band: Band | None = Field(None, description="1-based band; all bands unless given.")

    def others(self) -> tuple[Other, ...]:
        """The polygons."""
        return (self.other,)

    def other_kind(self, kind: Kind) -> Kind:  # noqa: ARG002 - the same for every kind
        """Polygons."""
        return "vector"

    def needs_crs(self) -> bool:
        """Polygons are brought into the CRS of the raster."""
        return True
