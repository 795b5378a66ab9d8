"""Rules about the file as an instance of its format."""

from __future__ import annotations

from collections.abc import Mapping
from typing import ClassVar, Literal

from pydantic import Field

from spatial_pipeline.contract.rules.base import BOTH
from spatial_pipeline.contract.rules.metadata import MetadataRule
from spatial_pipeline.contract.rules.usable import NO_PLACES
from spatial_pipeline.contract.vocabulary import Kind, Scope


class FormatConformance(MetadataRule):
    """The file obeys the specification of its format, requirement by requirement.

    GeoPackage (OGC 12-128r19, ``Req 77``), GeoParquet 1.1, GeoJSON (RFC 7946), GeoTIFF (OGC
    19-008r4), Shapefile and FlatGeobuf, each finding with the code of its requirement. Geometries
    themselves are left to ``valid_geometry``, ``simple_geometry`` and ``ring_orientation``.
    """

    rule: Literal["format_conformance"] = "format_conformance"
    scope: ClassVar[Scope] = Scope.PROFILE
    kinds: ClassVar[frozenset[Kind]] = BOTH
    judges_unreadable_source: ClassVar[bool] = True
    iso_element: ClassVar[str] = "format consistency"
    ignores: ClassVar[Mapping[str, str]] = NO_PLACES
    also: tuple[Literal["PDOK", "COG"], ...] = Field(
        (),
        description="Sets of requirements beyond the format's own: PDOK (RQ1 … RC18, for a "
        "GeoPackage), COG (for a GeoTIFF).",
    )
    recommendations: bool = Field(
        False, description="Recommendations are violations too; else they are said as notes."
    )
    accept: tuple[str, ...] = Field((), description="Codes of requirements that are not judged.")
