"""GeoJSON: the sections of RFC 7946 that a text does not follow.

The text is not read here: its reader hands over what it parses anyway.

Source: RFC 7946; RFC 8259 for JSON. Recommendations are its SHOULDs. Section 3.1.9 (the
antimeridian) is judged by ``antimeridian``.
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping, Sequence
from typing import Any

import numpy as np
import pyarrow as pa
import shapely
from numpy.typing import NDArray

from spatial_pipeline.contract.vocabulary import Bounds
from spatial_pipeline.ingest.conformance import geojson_objects
from spatial_pipeline.ingest.conformance.judge import Judge
from spatial_pipeline.ingest.conformance.rings import against_right_hand, unclosed
from spatial_pipeline.ingest.formats.geojson_head import encoding_of, relative_of
from spatial_pipeline.model.features import decoded

STANDARD = "RFC 7946"
SECTIONS = ("2", "3.1", "3.1.1", "3.1.4", "3.1.6", "3.1.8", "3.2", "3.3", "4", "5", "7.1")
REQUIREMENTS = {
    STANDARD: tuple(f"RFC 7946 {s}" for s in SECTIONS),
    "RFC 8259": ("RFC 8259 6", "RFC 8259 8.1"),
}
RECOMMENDED = frozenset({"RFC 7946 3.1.1", "RFC 7946 3.1.8"})
_OF_FEATURES = frozenset({"coordinates", "geometries", "features"})
_OF_COLLECTIONS = frozenset({"coordinates", "geometries", "geometry", "properties"})
_OF_GEOMETRIES = frozenset({"geometry", "properties", "features"})
_BOM = b"\xef\xbb\xbf"
NOT_FEATURES = "elements are not features"
NOT_WHOLE = "features lack members, or have properties that are neither an object nor null"
_SAID = {NOT_FEATURES: "RFC 7946 3.3", NOT_WHOLE: "RFC 7946 3.2"}
"""Sections by what a reader says of texts that it refuses."""
_ROUNDING = 1e-6
"""Degrees by which a bbox may be too small: writers round it like the coordinates."""


def judge() -> Judge:
    """Takes the findings about a GeoJSON text."""
    return Judge("GeoJSON", REQUIREMENTS, RECOMMENDED)


def begun(found: Judge, head: bytes) -> None:
    """Judges the first bytes of a text."""
    told = "the text begins with a byte order mark"
    found.expect("RFC 8259 8.1", not head.startswith(_BOM), told)
    other = encoding_of(head)
    found.expect("RFC 8259 8.1", other is None, f"the text is {other}, not UTF-8")
    name = relative_of(head)
    found.expect("RFC 7946 2", name is None, f"the text is {name}, not GeoJSON")


def broken(found: Judge, error: str) -> None:
    """Adds that the text cannot be read."""
    code = next((c for told, c in _SAID.items() if told in error), "RFC 7946 2")
    found.fail(code, error)


def collected(
    found: Judge, members: Mapping[str, Any], sequence: bool, constants: Iterable[str]
) -> None:
    """Judges the members of the collection beside its features.

    Args:
        found: takes the findings.
        members: the members.
        sequence: the text is a sequence of features, not a collection.
        constants: names of numbers that JSON does not have.

    """
    odd = ", ".join(sorted(constants))
    found.expect("RFC 8259 6", not odd, f"{odd} stands in place of a number")
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
    found.expect("RFC 7946 4", "crs" not in names, "features have a member crs, which is removed")
    if "bbox" in names:
        for feature in real:
            if "bbox" in feature:
                _box(found, "a feature", feature["bbox"])


def geometries(
    found: Judge, features: Sequence[Any], wkb: pa.Array, reasons: Iterable[str]
) -> None:
    """Judges geometries of features and their WKB.

    Args:
        found: takes the findings.
        features: the features.
        wkb: their geometries as binary, null where there is none.
        reasons: why members ``geometry`` are no geometries.

    """
    for reason in reasons:
        found.fail("RFC 7946 3.1", f"a geometry {reason}")
    values = [f.get("geometry") for f in features]
    objects = geojson_objects.flattened(values)
    _members(found, objects)
    _collections(found, objects)
    long = sum(_width(v) > 3 for v in values)
    told = f"positions of {long} geometries have 4 numbers or more"
    found.expect("RFC 7946 3.1.1", not long, told)
    if any(v.get("type") in geojson_objects.PATHS for v in objects):
        _paths(found, values, wkb)
    _boxes(found, features, wkb)


def compare(found: Judge, extent: Bounds | None, declared: Bounds | None) -> None:
    """Judges the extent of all features: degrees, within the bbox that the collection declares."""
    if extent is None:
        return
    told = f"the features extend over {list(extent)}, beyond the bbox {list(declared or ())}"
    found.expect("RFC 7946 5", _holds(declared, extent), told)
    west, south, east, north = extent
    degrees = west >= -180 and south >= -90 and east <= 180 and north <= 90
    shown = ", ".join(f"{v:.10g}" for v in extent)
    told = f"coordinates reach [{shown}], beyond longitudes and latitudes"
    found.expect("RFC 7946 4", degrees, told)


def _members(found: Judge, objects: Sequence[Mapping[str, Any]]) -> None:
    """Judges the members of geometries, those in collections included."""
    names = set().union(*(v.keys() for v in objects)) if objects else set()
    others = sorted(_OF_GEOMETRIES & names)
    found.expect("RFC 7946 7.1", not others, f"geometries have the members {', '.join(others)}")
    told = "geometries have a member crs, which is removed"
    found.expect("RFC 7946 4", "crs" not in names, told)
    if "bbox" in names:
        for value in objects:
            if "bbox" in value:
                _box(found, "a geometry", value["bbox"])


def _collections(found: Judge, objects: Sequence[Mapping[str, Any]]) -> None:
    given = [v["geometries"] for v in objects if isinstance(v.get("geometries"), list)]
    kinds = [[p.get("type") for p in parts if isinstance(p, dict)] for parts in given]
    nested = sum("GeometryCollection" in k for k in kinds)
    found.expect("RFC 7946 3.1.8", not nested, f"{nested} GeometryCollections hold another one")
    alike = sum(len(set(map(str, k))) == 1 and "GeometryCollection" not in k for k in kinds)
    told = f"{alike} GeometryCollections hold one geometry, or several of one type"
    found.expect("RFC 7946 3.1.8", not alike, told)


def _paths(found: Judge, values: Sequence[Any], wkb: pa.Array) -> None:
    """Lines have two positions at least; rings are closed, of four, and turn to the left."""
    shapes: NDArray[np.object_] = decoded(wkb.to_numpy(zero_copy_only=False))
    there = ~shapely.is_missing(shapes)
    lost = [values[i] for i in np.flatnonzero(~there & wkb.is_valid().to_numpy(False)).tolist()]
    # A polygon of rings without a position is empty in WKB.
    hollow = np.flatnonzero(there & shapely.is_empty(shapes)).tolist()
    faults = [geojson_objects.path_faults(v) for v in [*lost, *(values[i] for i in hollow)]]
    lines = sum(f.lines > 0 for f in faults)
    told = f"{lines} geometries have a line of fewer than 2 positions"
    found.expect("RFC 7946 3.1.4", not lines, told)
    broken = sum(f.rings > 0 for f in faults) + len(
        unclosed(shapes[there], geojson_objects.SHORTEST_RING)
    )
    told = f"{broken} polygons have a ring that is not closed, or of fewer than 4 positions"
    found.expect("RFC 7946 3.1.6", not broken, told)
    turned = len(against_right_hand(shapes[there]))
    told = f"{turned} polygons do not follow the right-hand rule"
    found.expect("RFC 7946 3.1.6", not turned, told)


def _boxes(found: Judge, features: Sequence[Any], wkb: pa.Array) -> None:
    """Compares the bbox of each feature with its geometry."""
    rows = [i for i, f in enumerate(features) if _is_box(f.get("bbox"))]
    if not rows:
        return
    shapes = decoded(wkb.take(pa.array(rows)).to_numpy(zero_copy_only=False))
    bounds = shapely.bounds(shapes)
    boxes = [declared_box(features[i]["bbox"]) for i in rows]
    out = sum(
        not _holds(box, extent)
        for box, extent in zip(boxes, bounds.tolist(), strict=True)
        if not np.isnan(extent).any()
    )
    found.expect("RFC 7946 5", not out, f"{out} features reach beyond their bbox")


def declared_box(box: Any) -> Bounds | None:
    """West, south, east and north of a member bbox; None where it is none."""
    if not _is_box(box):
        return None
    half = len(box) // 2
    return float(box[0]), float(box[1]), float(box[half]), float(box[half + 1])


def _holds(box: Bounds | None, extent: Sequence[float]) -> bool:
    """True when a bbox contains an extent.

    The longitudes of a bbox that crosses the antimeridian (west > east) are not compared.
    """
    if box is None:
        return True
    south, north = box[1] - _ROUNDING <= extent[1], extent[3] <= box[3] + _ROUNDING
    across = box[0] > box[2]
    west, east = box[0] - _ROUNDING <= extent[0], extent[2] <= box[2] + _ROUNDING
    return south and north and (across or (west and east))


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
        and all(map(math.isfinite, box))
    )
