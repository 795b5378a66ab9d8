"""FlatGeobuf: magic bytes and header, by the names of the header's fields.

Source: flatgeobuf.org, version 3 of header.fbs. Counts and lengths of features are judged by
``integrity.flatgeobuf`` before a row is read.
"""

from __future__ import annotations

from pathlib import Path

from spatial_pipeline.contract.vocabulary import Bounds
from spatial_pipeline.ingest.conformance.judge import Judge
from spatial_pipeline.ingest.integrity import flatgeobuf

STANDARD = "FlatGeobuf 3"
REQUIREMENTS = {
    STANDARD: ("magic", "header", "envelope", "geometry_type", "has_z", "columns",
               "features_count", "index_node_size", "crs"),
}  # fmt: skip
RECOMMENDED = frozenset({"index_node_size", "crs", "features_count"})
_TYPES = ("Unknown", "Point", "LineString", "Polygon", "MultiPoint", "MultiLineString",
          "MultiPolygon", "GeometryCollection", "CircularString", "CompoundCurve", "CurvePolygon",
          "MultiCurve", "MultiSurface", "Curve", "Surface", "PolyhedralSurface", "TIN",
          "Triangle")  # fmt: skip
_COLUMN_TYPES = 15


def judge(file: Path) -> Judge:
    """The findings about a FlatGeobuf file, without those that need its features."""
    found = Judge("FlatGeobuf", REQUIREMENTS, RECOMMENDED)
    with file.open("rb") as opened:
        magic = opened.read(8)
    sound = magic[:3] == b"fgb" and magic[4:7] == b"fgb"
    told = f"the file begins with {magic!r}, not with fgb 3 fgb"
    if not found.expect("magic", sound and magic[3:4] == b"\x03", told):
        return found
    header = flatgeobuf.header_of(file)
    if not found.expect("header", header is not None, "the header cannot be read"):
        return found
    assert header is not None
    told = f"geometry_type is {header.geometry_type}, which is not defined"
    found.expect("geometry_type", header.geometry_type < len(_TYPES), told)
    wrong = [name for name, kind in header.columns if kind >= _COLUMN_TYPES]
    found.expect("columns", not wrong, f"columns of an unknown type: {', '.join(wrong)}")
    names = [name for name, _ in header.columns]
    twice = sorted({n for n in names if names.count(n) > 1})
    found.expect("columns", not twice, f"columns that stand there twice: {', '.join(twice)}")
    found.expect("features_count", header.features > 0, "features_count is 0: it is not known")
    found.expect("index_node_size", header.node_size > 0, "index_node_size is 0: there is no index")
    found.expect("crs", header.has_crs, "there is no crs")
    wide = not header.envelope or len(header.envelope) >= 4
    told = f"the envelope has {len(header.envelope)} numbers"
    found.expect("envelope", wide, told)
    return found


def compare(found: Judge, file: Path, types: frozenset[str], extent: Bounds | None) -> None:
    """Compares what the header declares with the features.

    Args:
        found: takes the findings.
        file: the file.
        types: GeoParquet names of the types that occur.
        extent: extent of the features, None when there is none.

    """
    header = flatgeobuf.header_of(file)
    if header is None:
        return
    box = header.envelope
    if len(box) >= 4 and extent is not None:
        half = len(box) // 2
        xmin, ymin, xmax, ymax = box[0], box[1], box[half], box[half + 1]
        inside = xmin <= extent[0] and ymin <= extent[1] and extent[2] <= xmax and extent[3] <= ymax
        told = f"the features extend over {list(extent)}, beyond the envelope {list(box)}"
        found.expect("envelope", inside, told)
    if 0 < header.geometry_type < len(_TYPES):
        declared = _TYPES[header.geometry_type]
        others = sorted({t.removesuffix(" Z") for t in types} - {declared})
        if declared in _TYPES[:8]:
            told = f"{', '.join(others)} occur, {declared} is declared"
            found.expect("geometry_type", not others, told)
    has_z = any(t.endswith(" Z") for t in types)
    told = "features have Z, which the header does not declare"
    found.expect("has_z", header.has_z or not has_z, told)
