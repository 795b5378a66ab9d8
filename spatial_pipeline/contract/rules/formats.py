"""Rules about the file as an instance of its format."""

from collections.abc import Mapping
from typing import Annotated, ClassVar, Literal

from pydantic import Field

from spatial_pipeline.contract.rules.base import BOTH
from spatial_pipeline.contract.rules.metadata import MetadataRule, Pattern
from spatial_pipeline.contract.rules.usable import NO_PLACES, Needs
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


class SpatialIndex(MetadataRule):
    """The file has a spatial index that is whole and true of every feature.

    GeoPackage: an R-tree with an entry for each geometry, whose box holds it. GeoParquet: a
    covering bbox column that holds each geometry. FlatGeobuf: a packed R-tree likewise. Shapefile:
    the .shx, .dbf and .prj files, which agree with the .shp file; .sbn with .sbx; a .qix file of
    the same number of shapes.
    """

    rule: Literal["spatial_index"] = "spatial_index"
    scope: ClassVar[Scope] = Scope.PROFILE
    iso_element: ClassVar[str] = "format consistency"
    ignores: ClassVar[Mapping[str, str]] = NO_PLACES


class Layers(MetadataRule):
    """The container has the specified layers, with names as promised."""

    rule: Literal["layers"] = "layers"
    scope: ClassVar[Scope] = Scope.PROFILE
    iso_element: ClassVar[str] = "conceptual consistency"
    needs: ClassVar[Needs] = Needs.some(
        "equals", "contains", "name_pattern", "max_name_length", "no_reserved_words",
        no_reserved_words=True,
    )  # fmt: skip
    ignores: ClassVar[Mapping[str, str]] = NO_PLACES
    equals: Annotated[tuple[str, ...], Field(min_length=1)] | None = Field(
        None, description="Names of all layers, in any order."
    )
    contains: Annotated[tuple[str, ...], Field(min_length=1)] | None = Field(
        None, description="Names of layers that must be there."
    )
    name_pattern: Pattern | None = Field(
        None, description="Regular expression that matches every name as a whole."
    )
    max_name_length: int | None = Field(
        None, gt=0, description="Maximum length of a name, in characters."
    )
    no_reserved_words: bool = Field(
        False, description="No name is a reserved word of SQL, which needs quotes everywhere."
    )
