"""Rules that compare a dataset with another delivery of itself."""

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
from spatial_pipeline.contract.rules.others import OthersRule
from spatial_pipeline.contract.rules.usable import ONE_NUMBER, Needs
from spatial_pipeline.contract.vocabulary import Family, Kind, Scope


class ParityRule(Rule):
    """A rule of the parity family."""

    family: ClassVar[Family] = Family.PARITY
    scope: ClassVar[Scope] = Scope.COMPARISON
    iso_element: ClassVar[str] = "positional accuracy"


class SameFeaturesAs(ParityRule):
    """The features of another dataset, joined by key or geometry, are the same.

    Each difference has a class: gone, new, split, merged, moved (geometry) or edited (attributes).
    Null equals null, and NaN equals NaN. Keys that are null or not unique are violations too.
    """

    rule: Literal["same_features_as"] = "same_features_as"
    iso_element: ClassVar[str] = "completeness"
    needs: ClassVar[Needs] = Needs.one("other", "others")
    other: Other | None = Field(None, description="The dataset to compare with.")
    others_: tuple[Other, ...] | None = Field(
        None,
        alias="others",
        min_length=1,
        description="Several datasets, each compared with this one.",
    )
    key: tuple[str, ...] | None = Field(
        None, description="Columns that identify a feature. Default: the contract's key."
    )
    columns_: tuple[str, ...] | None = Field(
        None, alias="columns", description="Attributes to compare. Default: all common ones."
    )
    geometry: Literal["exact", "topological", "tolerance", "ignore"] = Field(
        "exact",
        description="exact: same type, same coordinates in the same order; topological: same set "
        "of points in the plane; tolerance: nowhere farther apart; ignore: not compared.",
    )
    tolerance: NotNegative = Field(
        0.0, description="Maximum Hausdorff distance; implies geometry: tolerance."
    )
    attribute_tolerance: NotNegative = Field(0.0, description="Accepted difference of numbers.")

    def columns(self) -> tuple[str, ...]:
        """Key and attributes named by the contract."""
        return tuple(dict.fromkeys((self.key or ()) + (self.columns_ or ())))

    def others(self) -> tuple[Other, ...]:
        """The datasets to compare with."""
        return (self.other,) if self.other is not None else (self.others_ or ())


class SameCountAs(OthersRule, ParityRule):
    """The dataset has as many features as another one.

    With ``where``, only features of both that meet it are counted. With ``max_fraction``, that
    fraction of the other dataset's features may be missing or extra. Tables are counted on their
    server.
    """

    rule: Literal["same_count_as"] = "same_count_as"
    scope: ClassVar[Scope] = Scope.DATASET
    iso_element: ClassVar[str] = "completeness"
    ignores: ClassVar[Mapping[str, str]] = {
        name: reason for name, reason in ONE_NUMBER.items() if name != "max_fraction"
    }
    other: Other | None = Field(None, description="The dataset to compare with.")
    tolerance: int = Field(0, ge=0, description="Accepted difference of counts.")

    @property
    def only_counts(self) -> bool:
        """True when nothing of the other dataset is needed but how many features it has."""
        return self.where is None


class SamePixelsAs(ParityRule):
    """Every pixel equals that of another raster."""

    rule: Literal["same_pixels_as"] = "same_pixels_as"
    kinds: ClassVar[frozenset[Kind]] = RASTER
    iso_element: ClassVar[str] = "thematic accuracy"
    other: Other = Field(description="The raster to compare with.")
    bands: tuple[Annotated[int, Field(ge=1)], ...] | None = Field(
        None, min_length=1, description="Band numbers, from 1. Default: all bands."
    )
    tolerance: NotNegative = Field(0.0, description="Accepted difference of pixel values.")
    resample: Literal["nearest", "bilinear", "cubic", "average"] | None = Field(
        None,
        description="Method by which the other raster is warped to this grid: it is sampled at the "
        "centres of this raster's pixels (average: over their areas). Default: equal grids.",
    )

    def others(self) -> tuple[Other, ...]:
        """The raster to compare with."""
        return (self.other,)


class BandsMatch(ParityRule):
    """Each band equals a single-band raster of a list."""

    rule: Literal["bands_match"] = "bands_match"
    kinds: ClassVar[frozenset[Kind]] = RASTER
    iso_element: ClassVar[str] = "thematic accuracy"
    others_: tuple[Other | str, ...] = Field(
        alias="others", min_length=1, description="One raster, or its URI, per band, in band order."
    )
    tolerance: NotNegative = Field(0.0, description="Accepted difference of pixel values.")

    def others(self) -> tuple[Other, ...]:
        """The single-band rasters, in band order."""
        return tuple(
            OtherSource(uri=o, layer=None) if isinstance(o, str) else o for o in self.others_
        )


class RoundTrips(ParityRule):
    """Writing the dataset to a format and reading it back changes nothing."""

    rule: Literal["round_trips"] = "round_trips"
    kinds: ClassVar[frozenset[Kind]] = BOTH
    iso_element: ClassVar[str] = "format consistency"
    format: str = Field(
        description="Short name of a GDAL driver: GPKG, FlatGeobuf, GeoJSON, GTiff, …"
    )
    driver_options: dict[str, str] = Field(
        default_factory=dict, description="Creation options of the driver."
    )
    tolerance: NotNegative = Field(
        0.0,
        description="Accepted distance of geometries; for rasters, accepted difference of pixel "
        "values.",
    )
    ignore: tuple[str, ...] = Field(
        (),
        description="Columns whose changes are accepted; for rasters, properties such as nodata or "
        "tags.",
    )


class StagedMatchesSource(ParityRule):
    """The staged file holds what ingest read from the source. Every contract has this rule.

    Ingest computes checksums of every column, or of every pixel and mask, while it reads the
    source; the rule computes them again from the staged file. Versions staged by an older release
    have no checksums and must be staged again.
    """

    rule: Literal["staged_matches_source"] = "staged_matches_source"
    scope: ClassVar[Scope] = Scope.DATASET
    kinds: ClassVar[frozenset[Kind]] = BOTH
    iso_element: ClassVar[str] = "completeness"
    ignores: ClassVar[Mapping[str, str]] = {
        "where": "the whole version is compared",
        **dict.fromkeys(
            ("except", "only_within", "except_keys", "baseline"),
            "damage by ingest cannot be accepted",
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
