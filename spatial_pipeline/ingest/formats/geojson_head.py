"""Tells GeoJSON by the first bytes of a file, and from its relatives."""

from __future__ import annotations

import re

_GEOJSON = re.compile(
    rb'"type"\s*:\s*"(FeatureCollection|Feature|(Multi)?(Point|LineString|Polygon)'
    rb'|GeometryCollection)"|"features"\s*:\s*\['
)
_TOPOJSON = re.compile(rb'"type"\s*:\s*"Topology"')
_ESRI = re.compile(rb'"esri(Geometry|FieldType)')
_FEATURES_AND_GEOMETRIES = re.compile(rb'"conformsTo"|"coordRefSys"')
_MARKS = ((b"\xff\xfe", "UTF-16"), (b"\xfe\xff", "UTF-16"), (b"{\0", "UTF-16"), (b"\0{", "UTF-16"))
"""First bytes of texts of other encodings, with a byte order mark or without."""


def is_geojson(head: bytes) -> bool:
    """Whether a text that starts with these bytes is GeoJSON, and not of one of its relatives."""
    bare = head.removeprefix(b"\xef\xbb\xbf").lstrip(b" \t\r\n\x1e")
    return bare.startswith(b"{") and not is_relative(head) and _GEOJSON.search(bare) is not None


def is_relative(head: bytes) -> bool:
    """Whether a text that starts with these bytes is TopoJSON, ESRI JSON or JSON-FG."""
    return relative_of(head) is not None or _FEATURES_AND_GEOMETRIES.search(head) is not None


def relative_of(head: bytes) -> str | None:
    """Name of the relative that is not GeoJSON; JSON-FG extends it."""
    if _TOPOJSON.search(head) is not None:
        return "TopoJSON"
    return "ESRI JSON" if _ESRI.search(head) is not None else None


def encoding_of(head: bytes) -> str | None:
    """Encoding of a text that is not UTF-8 by its first bytes; None for others."""
    return next((name for mark, name in _MARKS if head.startswith(mark)), None)
