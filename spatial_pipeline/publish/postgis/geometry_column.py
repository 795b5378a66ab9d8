"""Type of the geometry column of a table: from the contract, the source, the table, the data.

Decides from values; what a file holds and what a table declares is read elsewhere.
"""

from __future__ import annotations

from dataclasses import dataclass, replace

from spatial_pipeline.contract.geometry_type import GeometryType, common
from spatial_pipeline.errors import StoreError
from spatial_pipeline.model.profile import VectorProfile

SHAPEFILE = "ESRI Shapefile"
"""Its lines and polygons may have several parts, whatever its type says."""
INFERRED = frozenset({"GeoJSON", "GeoJSONSeq", "TopoJSON", "ESRIJSON"})
"""Drivers of formats that declare no type: the profile has what occurs in this version."""
LISTED = "Parquet"
"""Its metadata lists the types that occur in this version."""
GENERAL = "Geometry"


@dataclass(frozen=True, slots=True)
class Present:
    """Geometry column that a table has now.

    Attributes:
        type: declared type, None when the column has no type modifier.
        srid: declared SRID; 0 without a type modifier.
        others: True when other partitions have rows in the table.

    """

    type: GeometryType | None
    srid: int
    others: bool


@dataclass(frozen=True, slots=True)
class Wanted:
    """Everything about a version that decides the type of its column.

    Attributes:
        found: types that occur in the version, empty geometries included.
        declared: type that the source declares, None when it declares none.
        fixed: type that the contract asks for, None when it does not.

    """

    found: frozenset[GeometryType] = frozenset()
    declared: GeometryType | None = None
    fixed: GeometryType | None = None

    @property
    def type(self) -> GeometryType | None:
        """The type without a table to fit into.

        None when no type modifier holds the version: its geometries differ in dimensions.

        Raises:
            StoreError: the contract asks for a type that does not hold the version.

        """
        if self.fixed is not None:
            strange = sorted(str(t) for t in self.found if not self.fixed.holds(t))
            if strange:
                wider = common(self.found)
                way = (
                    "leave the type out, because none holds geometries of different dimensions"
                    if wider is None
                    else f"ask for {wider}, or leave it out"
                )
                msg = (
                    f"publish.geometry is {self.fixed}, which does not hold {', '.join(strange)}:"
                    f" {way}"
                )
                raise StoreError(msg)
            return self.fixed
        if not self.found:
            return self.declared or GeometryType(GENERAL)
        if self.declared is None or not self.declared.holds_all(self.found):
            return self._widened()
        return self.declared

    def fitting(
        self, present: Present | None, srid: int, *, shared: bool = False
    ) -> GeometryType | None:
        """The type for a table: that which it has, where it holds what is wanted.

        Args:
            present: column of the table, None when there is none.
            srid: SRID of the version.
            shared: True when partitions share the table: lines and polygons then are Multi types
                from the start, unless the contract says otherwise, because the type cannot widen
                later and the file of another partition may declare or hold a Multi type.

        Raises:
            StoreError: see :attr:`type`.

        """
        narrow = self.type
        if self.fixed is not None:
            return narrow
        wanted = narrow
        if shared and narrow is not None and narrow.base in ("LineString", "Polygon"):
            wanted = narrow.multi
        if present is None:
            return wanted
        if present.type is None:
            return None
        if present.srid != srid:
            return wanted
        if narrow is None or wanted is None:
            return None
        if present.others and present.type.holds_all(self.found):
            return present.type
        known = self.found or ({self.declared} if self.declared else set())
        undeclared = self.declared is None
        if present.type.holds_all(known) and (undeclared or present.type.holds(narrow)):
            return present.type
        if present.others:
            return common({present.type, wanted})
        return wanted

    def _widened(self) -> GeometryType | None:
        """The narrowest type of the data and, if their dimensions allow it, of the declaration."""
        narrowest = common(self.found)
        if narrowest is None or self.declared is None:
            return narrowest
        return common({narrowest, replace(self.declared, dimensions=narrowest.dimensions)})


def wanted(
    profile: VectorProfile, found: frozenset[GeometryType], fixed: GeometryType | None
) -> Wanted:
    """Facts about a staged version that decide the type of its geometry column.

    Args:
        profile: of the version.
        found: types that occur in it.
        fixed: type that the contract asks for.

    """
    declared = None
    if profile.geometry_type is not None and profile.driver not in INFERRED:
        declared = GeometryType.parse(profile.geometry_type)
    if declared == GeometryType(GENERAL) or (profile.driver == LISTED and found):
        # Also said of layers that declare nothing; a list of types says what occurs.
        declared = None
    if declared is not None and profile.driver == SHAPEFILE and declared.base != "Point":
        declared = declared.multi
    return Wanted(found, declared, fixed)


def takes_multi(kind: GeometryType | None) -> bool:
    """True when single geometries are promoted for a column of this type."""
    return kind is not None and kind.base.startswith("Multi")
