"""GeoJSON: the sections of RFC 7946 that a text does not follow.

The text is not read here: its reader hands over what it parses anyway.

Source: RFC 7946; RFC 8259 for JSON. Recommendations are its SHOULDs. Section 3.1.9 (the
antimeridian) is judged by ``antimeridian``.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import Any

import numpy as np
import pyarrow as pa
import shapely
from numpy.typing import NDArray

from spatial_pipeline.contract.vocabulary import Bounds
from spatial_pipeline.ingest.conformance.judge import Judge
from spatial_pipeline.ingest.conformance.rings import against_right_hand
from spatial_pipeline.model.features import decoded

STANDARD = "RFC 7946"
SECTIONS = ("2", "3.1", "3.1.1", "3.1.6", "3.1.8", "3.2", "4", "5", "7.1")
REQUIREMENTS = {
    STANDARD: tuple(f"RFC 7946 {s}" for s in SECTIONS),
    "RFC 8259": ("RFC 8259 8.1",),
}
RECOMMENDED = frozenset({"RFC 7946 3.1.1", "RFC 7946 3.1.8"})
_OF_FEATURES = frozenset({"coordinates", "geometries", "features"})
_OF_COLLECTIONS = frozenset({"coordinates", "geometries", "geometry", "properties"})
_BOM = b"\xef\xbb\xbf"


def judge() -> Judge:
    """Takes the findings about a GeoJSON text."""
    return Judge("GeoJSON", REQUIREMENTS, RECOMMENDED)


def begun(found: Judge, head: bytes) -> None:
    """Judges the first bytes of a text."""
    told = "the text begins with a byte order mark"
    found.expect("RFC 8259 8.1", not head.startswith(_BOM), told)


def broken(found: Judge, error: str) -> None:
    """Adds that the text cannot be read."""
    found.fail("RFC 7946 2", error)


def collected(found: Judge, members: Mapping[str, Any], sequence: bool) -> None:
    """Judges the members of the collection beside its features."""
    found.expect("RFC 7946 4", "crs" not in members, "there is a member crs, which is removed")
    if not sequence:
        others = sorted(_OF_COLLECTIONS & members.keys())
        told = f"the FeatureCollection has the members {', '.join(others)}"
        found.expect("RFC 7946 7.1", not others, told)
    if "bbox" in members:
        _box(found, "the collection", members["bbox"])


def elements(found: Judge, features: Sequence[Any]) -> None:
    """Judges the members of features, as the text has them."""
    real = [f for f in features if isinstance(f, dict) and f.get("type") == "Feature"]
    bare = sum("geometry" not in f or "properties" not in f for f in real)
    found.expect("RFC 7946 3.2", not bare, f"{bare} features lack geometry or properties")
    names = set().union(*(f.keys() for f in real)) if real else set()
    others = sorted(_OF_FEATURES & names)
    found.expect("RFC 7946 7.1", not others, f"features have the members {', '.join(others)}")
    if "id" in names:
        odd = sum(not _is_id(f.get("id", "")) for f in real)
        found.expect(
            "RFC 7946 3.2", not odd, f"the id of {odd} features is neither text nor a number"
        )
    if "bbox" in names:
        for feature in real:
            if "bbox" in feature:
                _box(found, "a feature", feature["bbox"])


def geometries(found: Judge, values: Sequence[Any], wkb: pa.Array, reasons: Iterable[str]) -> None:
    """Judges geometries of features and their WKB.

    Args:
        found: takes the findings.
        values: members ``geometry``.
        wkb: the same as binary, null where there is none.
        reasons: why values are no geometries.

    """
    for reason in reasons:
        found.fail("RFC 7946 3.1", f"a geometry {reason}")
    kinds = [v.get("type") if isinstance(v, dict) else None for v in values]
    nested = sum(
        kind == "GeometryCollection" and _nested(value)
        for kind, value in zip(kinds, values, strict=True)
    )
    found.expect("RFC 7946 3.1.8", not nested, f"{nested} GeometryCollections hold another one")
    polygonal = np.array([k in {"Polygon", "MultiPolygon"} for k in kinds], dtype=bool)
    if polygonal.any():
        _rings(found, wkb.filter(pa.array(polygonal)))
    long = sum(_width(v) > 3 for v in values)
    told = f"positions of {long} geometries have 4 numbers or more"
    found.expect("RFC 7946 3.1.1", not long, told)


def compare(found: Judge, extent: Bounds | None) -> None:
    """Judges the extent of all features: degrees of longitude and latitude."""
    if extent is None:
        return
    west, south, east, north = extent
    degrees = west >= -180 and south >= -90 and east <= 180 and north <= 90
    shown = ", ".join(f"{v:.10g}" for v in extent)
    told = f"coordinates reach [{shown}], beyond longitudes and latitudes"
    found.expect("RFC 7946 4", degrees, told)


def _rings(found: Judge, wkb: pa.Array) -> None:
    """Rings are closed, of four positions at least, and follow the right-hand rule."""
    shapes: NDArray[np.object_] = decoded(wkb.drop_null().to_numpy(zero_copy_only=False))
    there = ~shapely.is_missing(shapes)
    lost = int(np.count_nonzero(~there))
    told = f"{lost} polygons have a ring that is not closed, or of fewer than 4 positions"
    found.expect("RFC 7946 3.1.6", not lost, told)
    turned = len(against_right_hand(shapes[there]))
    told = f"{turned} polygons do not follow the right-hand rule"
    found.expect("RFC 7946 3.1.6", not turned, told)


def _nested(value: Any) -> bool:
    parts = value.get("geometries")
    return isinstance(parts, list) and any(
        isinstance(p, dict) and p.get("type") == "GeometryCollection" for p in parts
    )


def _width(value: Any) -> int:
    """Numbers of the first position of a geometry."""
    level = value.get("coordinates") if isinstance(value, dict) else None
    while isinstance(level, list) and level and isinstance(level[0], list):
        level = level[0]
    return len(level) if isinstance(level, list) else 0


def _box(found: Judge, what: str, box: Any) -> None:
    if found.expect("RFC 7946 5", _is_box(box), f"the bbox of {what} is {str(box)[:80]}"):
        half = len(box) // 2
        ordered = all(box[i] <= box[half + i] for i in range(1, half))
        found.expect("RFC 7946 5", ordered, f"the bbox of {what} has a maximum below its minimum")


def _is_id(value: Any) -> bool:
    return isinstance(value, str | int | float) and not isinstance(value, bool)


def _is_box(box: Any) -> bool:
    return (
        isinstance(box, list)
        and len(box) in {4, 6}
        and all(isinstance(v, int | float) and not isinstance(v, bool) for v in box)
    )
