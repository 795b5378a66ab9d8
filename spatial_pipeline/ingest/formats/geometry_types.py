"""Names of the geometry types that a layer may declare and that pyogrio refuses to open.

pyogrio knows layers of the seven types of simple features and of any type without Z and M. A
GeoPackage of any type with Z, or of TINs, it refuses whole, though its Arrow stream reads them.
"""

from __future__ import annotations

from pyogrio import _geometry

_25D = 1 << 31
"""OGR's mark of Z for the types below 8, as an unsigned and as a signed number."""
NAMES = {
    **dict.fromkeys((_25D, -_25D), "Unknown Z"),
    2000: "Measured Unknown", 3000: "Measured 3D Unknown",
    15: "PolyhedralSurface", 1015: "PolyhedralSurface Z",
    2015: "Measured PolyhedralSurface", 3015: "Measured 3D PolyhedralSurface",
    16: "TIN", 1016: "TIN Z", 2016: "Measured TIN", 3016: "Measured 3D TIN",
    17: "Triangle", 1017: "Triangle Z", 2017: "Measured Triangle", 3017: "Measured 3D Triangle",
}  # fmt: skip


def admit() -> None:
    """Lets pyogrio open layers of these types."""
    for code, name in NAMES.items():
        _geometry.GEOMETRY_TYPES.setdefault(code, name)
