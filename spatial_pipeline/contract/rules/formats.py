"""Rules about the file as an instance of its format."""

import re
from collections.abc import Mapping
from typing import Annotated, ClassVar, Literal, Self

from pydantic import AfterValidator, Field, model_validator

from spatial_pipeline.contract.rules.base import BOTH, DELIVERY
from spatial_pipeline.contract.rules.metadata import MetadataRule, Pattern
from spatial_pipeline.contract.rules.usable import NO_PLACES, Needs
from spatial_pipeline.contract.vocabulary import Kind, Scope

PARTITION = "{partition}"


def _glob(text: str) -> str:
    if text.startswith(("/", "./")) or "\\" in text or ".." in text.split("/"):
        msg = f"{text!r}: globs are relative to the folder, with / between folders"
        raise ValueError(msg)
    return text


Glob = Annotated[str, Field(min_length=1), AfterValidator(_glob)]
Globs = Annotated[tuple[Glob, ...], Field(min_length=1)]


class FormatConformance(MetadataRule):
    """The file obeys the specification of its format, requirement by requirement.

    GeoPackage (OGC 12-128r19, ``Req 77``), GeoParquet 1.1, GeoJSON (RFC 7946), GeoTIFF (OGC
    19-008r4 and TIFF 6.0), Shapefile and FlatGeobuf, each finding with the code of its requirement.
    Geometries themselves are left to ``valid_geometry``, ``simple_geometry`` and
    ``ring_orientation``.
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


class DeliveryContents(MetadataRule):
    """The files beside the source, or in its archive, are those promised, with names that are true.

    Names are relative to the folder that the source lies in, or to the root of its zip archive. In
    globs, `*` and `?` stand for characters of one name, `**/` for any folders, none included, and
    `**` at the end for all that is below. A File Geodatabase or Zarr folder is one entry. Hidden
    folders on disk and links to folders are left out. A delivery has a folder of its own: when its
    list of files changes, the data are staged and checked again.
    """

    rule: Literal["delivery_contents"] = "delivery_contents"
    scope: ClassVar[Scope] = Scope.PROFILE
    kinds: ClassVar[frozenset[Kind]] = BOTH
    judges_unreadable_source: ClassVar[bool] = True
    iso_element: ClassVar[str] = "completeness"
    needs: ClassVar[Needs] = Needs.some("required", "optional", "forbidden", "name_pattern")
    ignores: ClassVar[Mapping[str, str]] = NO_PLACES
    required: Globs | None = Field(None, description="Globs that match at least one file each.")
    optional: tuple[Glob, ...] | None = Field(
        None,
        description="Globs of files that may be there, whatever their names; [] for none. Without "
        "name_pattern, files that are neither required nor optional are violations.",
    )
    forbidden: Globs | None = Field(None, description="Globs that match no file.")
    name_pattern: Pattern | None = Field(
        None,
        description="Regular expression that matches the name of each file that is not optional, "
        "as a whole; (?P<year>[0-9]{4}) names a part of it.",
    )
    parts_match: dict[str, str] = Field(
        default_factory=dict,
        description="What the named parts say: {partition}, or a column that has this value "
        "everywhere. Numbers are compared as numbers, dates with or without hyphens.",
    )

    @model_validator(mode="after")
    def _named(self) -> Self:
        known = re.compile(self.name_pattern or "").groupindex
        for part in self.parts_match:
            if part not in known:
                msg = f"parts_match: name_pattern has no part (?P<{part}>…)"
                raise ValueError(msg)
        return self

    @property
    def beside(self) -> tuple[str, ...]:
        """The files that the source came with."""
        return (DELIVERY,)

    def unused(self, kind: Kind) -> list[tuple[str, str]]:
        """Parameters that it cannot use: parts that are columns, for rasters."""
        columns = [("parts_match", "a raster has no columns")] if self.columns() else []
        return [*super().unused(kind), *(columns if kind == "raster" else [])]

    def columns(self) -> tuple[str, ...]:
        """The columns that parts of names are compared with."""
        return tuple(dict.fromkeys(v for v in self.parts_match.values() if v != PARTITION))
