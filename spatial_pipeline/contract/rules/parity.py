"""Rules that compare a dataset with another delivery of itself."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Annotated, ClassVar, Literal

from pydantic import Field

from spatial_pipeline.contract.rules.base import (
    BOTH,
    RASTER,
    NotNegative,
    Other,
    OtherSource,
    Rule,
)
from spatial_pipeline.contract.rules.usable import ONE_NUMBER, Needs
from spatial_pipeline.contract.vocabulary import Family, Kind, Scope


class ParityRule(Rule):
    """A rule of the parity family."""

    family: ClassVar[Family] = Family.PARITY
    scope: ClassVar[Scope] = Scope.COMPARISON
    iso_element: ClassVar[str] = "positional accuracy"


class SameFeaturesAs(ParityRule):
    """Joined by key (by geometry without one), nothing is missing, extra or changed.

    Every change is of one class: gone, new, split, merged, moved (geometry) or edited (attributes).
    Null equals null and NaN equals NaN. Keys that are null or not unique are violations too.
    """

    rule: Literal["same_features_as"] = "same_features_as"
    iso_element: ClassVar[str] = "completeness"
    needs: ClassVar[Needs] = Needs.one("other", "others")
    other: Other | None = Field(None, description="The dataset to compare with.")
    others_: tuple[Other, ...] | None = Field(
        None, alias="others", min_length=1, description="Several datasets to compare with at once."
    )
    key: tuple[str, ...] | None = Field(
        None, description="Columns that identify a feature; the contract's key unless given."
    )
    columns_: tuple[str, ...] | None = Field(
        None, alias="columns", description="Attributes to compare; all common ones unless given."
    )
    geometry: Literal["exact", "topological", "tolerance", "ignore"] = Field(
        "exact",
        description="exact: same type, same coordinates in the same order; topological: same set "
        "of points in the plane; tolerance: nowhere farther apart than that; ignore: not compared.",
    )
    tolerance: NotNegative = Field(
        0.0, description="Largest Hausdorff distance, CRS units; implies geometry: tolerance."
    )
    attribute_tolerance: NotNegative = Field(0.0, description="Accepted difference of numbers.")

    def columns(self) -> tuple[str, ...]:
        """Key and attributes named by the contract."""
        return tuple(dict.fromkeys((self.key or ()) + (self.columns_ or ())))

    def others(self) -> tuple[Other, ...]:
        """The datasets to compare with."""
        return (self.other,) if self.other is not None else (self.others_ or ())


class SameCountAs(ParityRule):
    """As many features as another dataset has.

    With ``where``, the features of both for which it holds are counted; with ``max_fraction``, that
    share of the other's features may be missing or extra. A table is counted by its server.
    """

    rule: Literal["same_count_as"] = "same_count_as"
    scope: ClassVar[Scope] = Scope.DATASET
    iso_element: ClassVar[str] = "completeness"
    ignores: ClassVar[Mapping[str, str]] = {
        name: reason for name, reason in ONE_NUMBER.items() if name != "max_fraction"
    }
    other: Other = Field(description="The dataset to compare with.")
    tolerance: int = Field(0, ge=0, description="Accepted difference of the counts.")

    def others(self) -> tuple[Other, ...]:
        """The dataset to compare with."""
        return (self.other,)

    @property
    def only_counts(self) -> bool:
        """True when nothing of the other dataset is needed but how many features it has."""
        return self.where is None


class SamePixelsAs(ParityRule):
    """Pixel by pixel equal to another raster."""

    rule: Literal["same_pixels_as"] = "same_pixels_as"
    kinds: ClassVar[frozenset[Kind]] = RASTER
    iso_element: ClassVar[str] = "thematic accuracy"
    other: Other = Field(description="The raster to compare with.")
    bands: tuple[Annotated[int, Field(ge=1)], ...] | None = Field(
        None, min_length=1, description="1-based bands; all unless given."
    )
    tolerance: NotNegative = Field(0.0, description="Accepted difference of a pixel.")
    resample: Literal["nearest", "bilinear", "cubic", "average"] | None = Field(
        None,
        description="Warp the other raster to this grid first, sampling it at the centres of this "
        "raster's pixels (average: over their areas); absent: grids must be equal.",
    )

    def others(self) -> tuple[Other, ...]:
        """The raster to compare with."""
        return (self.other,)


class BandsMatch(ParityRule):
    """Band n of the raster equals the n-th of a list of single-band rasters."""

    rule: Literal["bands_match"] = "bands_match"
    kinds: ClassVar[frozenset[Kind]] = RASTER
    iso_element: ClassVar[str] = "thematic accuracy"
    others_: tuple[Other | str, ...] = Field(
        alias="others", min_length=1, description="One raster (or its uri) a band, in band order."
    )
    tolerance: NotNegative = Field(0.0, description="Accepted difference of a pixel.")

    def others(self) -> tuple[Other, ...]:
        """The single-band rasters, in band order."""
        return tuple(
            OtherSource(uri=o, layer=None) if isinstance(o, str) else o for o in self.others_
        )


class RoundTrips(ParityRule):
    """Written to a format and read back, nothing changes; what changes is listed."""

    rule: Literal["round_trips"] = "round_trips"
    kinds: ClassVar[frozenset[Kind]] = BOTH
    iso_element: ClassVar[str] = "format consistency"
    format: str = Field(description="GDAL driver short name (GPKG, FlatGeobuf, GeoJSON, GTiff, …).")
    driver_options: dict[str, str] = Field(
        default_factory=dict, description="Creation options of the driver."
    )
    tolerance: NotNegative = Field(
        0.0,
        description="Accepted distance of geometries, CRS units; of rasters, accepted difference "
        "of a pixel.",
    )
    ignore: tuple[str, ...] = Field(
        (),
        description="Columns (of a raster: properties, such as nodata or tags) whose losses are "
        "accepted.",
    )


class StagedMatchesSource(ParityRule):
    """What ingest wrote is what it read; on in every contract, whether it is named or not.

    Ingest sums up every column, or every pixel and mask, while it reads the source; the rule sums
    up the staged file again and compares. A version of an older ingest, which took no checksums,
    must be staged again.
    """

    rule: Literal["staged_matches_source"] = "staged_matches_source"
    scope: ClassVar[Scope] = Scope.DATASET
    kinds: ClassVar[frozenset[Kind]] = BOTH
    iso_element: ClassVar[str] = "completeness"
    ignores: ClassVar[Mapping[str, str]] = {
        "where": "the whole version is compared",
        **dict.fromkeys(
            ("except", "only_within", "except_keys", "baseline"),
            "what ingest damaged cannot be accepted",
        ),
    }


__all__ = [
    "BandsMatch",
    "ParityRule",
    "RoundTrips",
    "SameCountAs",
    "SameFeaturesAs",
    "SamePixelsAs",
    "StagedMatchesSource",
]
