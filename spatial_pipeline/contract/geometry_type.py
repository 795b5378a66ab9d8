"""Geometry type of a published column as a contract and PostGIS spell it: ``MultiPolygonZ``.

Parsing, comparing and widening types belong here; looking at geometries or tables does not.
"""

from __future__ import annotations

import re
from collections.abc import Collection
from dataclasses import dataclass
from typing import Literal

BASES = (
    "Geometry", "Point", "LineString", "Polygon", "MultiPoint", "MultiLineString", "MultiPolygon",
    "GeometryCollection",
)  # fmt: skip
"""Types in the order of their WKB codes; the first one holds them all."""
LINEAR = {
    "circularstring": "LineString", "compoundcurve": "LineString", "curve": "LineString",
    "curvepolygon": "Polygon", "triangle": "Polygon", "surface": "Polygon",
    "multicurve": "MultiLineString", "multisurface": "MultiPolygon",
    "polyhedralsurface": "MultiPolygon", "tin": "MultiPolygon",
}  # fmt: skip
"""Types that ingest turns into lines and polygons."""
GeometryTypeName = Literal[
    "Geometry", "GeometryZ", "GeometryM", "GeometryZM",
    "Point", "PointZ", "PointM", "PointZM",
    "LineString", "LineStringZ", "LineStringM", "LineStringZM",
    "Polygon", "PolygonZ", "PolygonM", "PolygonZM",
    "MultiPoint", "MultiPointZ", "MultiPointM", "MultiPointZM",
    "MultiLineString", "MultiLineStringZ", "MultiLineStringM", "MultiLineStringZM",
    "MultiPolygon", "MultiPolygonZ", "MultiPolygonM", "MultiPolygonZM",
    "GeometryCollection", "GeometryCollectionZ", "GeometryCollectionM", "GeometryCollectionZM",
]  # fmt: skip
_GDAL = re.compile(
    r"^(?P<m>Measured )?(?P<z>(3D|2\.5D) )?(?P<base>[A-Za-z]+?) ?(?P<d>ZM|Z|M|25D)?$"
)


@dataclass(frozen=True, slots=True, order=True)
class GeometryType:
    """A geometry type with its dimensions.

    Attributes:
        base: one of :data:`BASES`; ``Geometry`` stands for any.
        dimensions: ``""``, ``Z``, ``M`` or ``ZM`` behind x and y.

    """

    base: str
    dimensions: str = ""

    def __str__(self) -> str:
        return self.base + self.dimensions

    @classmethod
    def parse(cls, text: str) -> GeometryType | None:
        """Reads a name as contracts, PostGIS, GeoParquet and GDAL write it.

        Args:
            text: ``MultiPolygonZ``, ``MULTIPOLYGON Z``, ``Measured 3D Point``, ``Unknown Z``.

        Returns:
            None for what names no type.

        """
        found = _GDAL.match(text.strip())
        if found is None:
            return None
        name = found["base"].casefold()
        name = "geometry" if name == "unknown" else LINEAR.get(name, name)
        base = next((b for b in BASES if b.casefold() == name.casefold()), None)
        if base is None:
            return None
        z = bool(found["z"]) or "Z" in (found["d"] or "") or found["d"] == "25D"
        m = bool(found["m"]) or "M" in (found["d"] or "")
        return cls(base, "Z" * z + "M" * m)

    @property
    def multi(self) -> GeometryType:
        """The type of several of these: ``MultiPolygon`` of ``Polygon``; else itself."""
        name = f"Multi{self.base}"
        return GeometryType(name, self.dimensions) if name in BASES else self

    def holds(self, other: GeometryType) -> bool:
        """True when a column of this type takes geometries of the other, single ones as Multi."""
        fits = self.base in ("Geometry", other.base, other.multi.base)
        return fits and self.dimensions == other.dimensions

    def holds_all(self, others: Collection[GeometryType]) -> bool:
        """True when a column of this type takes geometries of all the others."""
        return all(self.holds(t) for t in others)


def common(types: Collection[GeometryType]) -> GeometryType | None:
    """The narrowest type that holds all types; None when they differ in dimensions or are none."""
    dimensions = {t.dimensions for t in types}
    if len(dimensions) != 1:
        return None
    wider = [next(iter(types)), next(iter(types)).multi, GeometryType("Geometry", *dimensions)]
    return next(t for t in wider if t.holds_all(types))
