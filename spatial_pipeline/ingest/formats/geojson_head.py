"""Tells GeoJSON by the first bytes of a file, and from its relatives."""

from __future__ import annotations

import re

_GEOJSON = re.compile(
    rb'"type"\s*:\s*"(FeatureCollection|Feature|(Multi)?(Point|LineString|Polygon)'
    rb'|GeometryCollection)"|"features"\s*:\s*\['
)
_OTHERS = re.compile(
    rb'"type"\s*:\s*"Topology"|"esri(Geometry|FieldType)|"conformsTo"|"coordRefSys"'
)
"""TopoJSON, ESRI JSON and JSON-FG, which are GDAL's."""


def is_geojson(head: bytes) -> bool:
    """Whether a text that starts with these bytes is GeoJSON, and not of one of its relatives."""
    bare = head.removeprefix(b"\xef\xbb\xbf").lstrip(b" \t\r\n\x1e")
    return bare.startswith(b"{") and not is_relative(head) and _GEOJSON.search(bare) is not None


def is_relative(head: bytes) -> bool:
    """Whether a text that starts with these bytes is TopoJSON, ESRI JSON or JSON-FG."""
    return _OTHERS.search(head) is not None
