"""GeoTIFF: the directory of geographic keys; COG: the findings of rio-cogeo.

Codes are the names of tags and keys. Source: OGC 19-008r4 (GeoTIFF 1.1), clauses 7 and annex B.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path

import pyproj
from pyproj.exceptions import CRSError

from spatial_pipeline.ingest.conformance import tiff
from spatial_pipeline.ingest.conformance.judge import Judge
from spatial_pipeline.ingest.integrity import tiff_directory

STANDARD, COG = "OGC 19-008r4", "COG"
REQUIREMENTS = {
    STANDARD: ("GeoKeyDirectoryTag", "GTModelTypeGeoKey", "GTRasterTypeGeoKey",
               "GeodeticCRSGeoKey", "ProjectedCRSGeoKey", "GeoAsciiParamsTag",
               "ModelPixelScaleTag", "ModelTiepointTag", "ModelTransformationTag"),
    tiff.STANDARD: tiff.REQUIREMENTS,
    COG: ("COG", "COG overviews"),
}  # fmt: skip
RECOMMENDED = frozenset({"COG overviews"})
DIRECTORY, DOUBLES, ASCII = 34735, 34736, 34737
SCALE, TIEPOINT, TRANSFORMATION, RATIONAL_POLYNOMIALS = 33550, 33922, 34264, 50844
MODEL, RASTER, GEODETIC, PROJECTED = 1024, 1025, 2048, 3072
_USER_DEFINED = 32767
_KEY_WORDS = 4
_DEFINITIONS = frozenset({1026, 3073, 3074, 3075})
"""Keys of which one describes a user-defined projected CRS: citations, projection, method."""


def judge(file: Path, page: int, errors: Sequence[str], warnings: Sequence[str]) -> Judge:
    """The findings about one page of a TIFF.

    Args:
        file: the file.
        page: 1-based number of the directory that is read.
        errors: why it is no Cloud Optimized GeoTIFF.
        warnings: what the validator recommends.

    """
    found = Judge("GeoTIFF", REQUIREMENTS, RECOMMENDED)
    for error in errors:
        found.fail("COG", error)
    for warning in warnings:
        found.fail("COG overviews", warning)
    tiff.judge(found, file)
    wanted = {DIRECTORY, DOUBLES, ASCII, SCALE, TIEPOINT, TRANSFORMATION, RATIONAL_POLYNOMIALS}
    values = tiff_directory.numbers(file, page, frozenset(wanted))
    if values is None:
        return found
    _placed(found, values)
    words = [int(v) for v in values.get(DIRECTORY, ())]
    if not found.expect("GeoKeyDirectoryTag", bool(words), "there is no GeoKeyDirectoryTag"):
        return found
    _keys(found, words, values)
    placed = any(values.get(t) for t in (TIEPOINT, TRANSFORMATION, RATIONAL_POLYNOMIALS))
    found.expect("ModelTiepointTag", placed or bool(values.get(SCALE)), "the raster has no place")
    return found


def _placed(found: Judge, values: Mapping[int, Sequence[float]]) -> None:
    scale, tie = values.get(SCALE, ()), values.get(TIEPOINT, ())
    matrix = values.get(TRANSFORMATION, ())
    told = "there are both ModelPixelScaleTag and ModelTransformationTag"
    found.expect("ModelTransformationTag", not (scale and matrix), told)
    found.expect("ModelTransformationTag", len(matrix) in {0, 16}, f"it has {len(matrix)} values")
    found.expect("ModelPixelScaleTag", len(scale) in {0, 3}, f"it has {len(scale)} values, not 3")
    told = "a pixel has no width or no height"
    found.expect("ModelPixelScaleTag", all(v for v in scale[:2]), told)
    told = f"it has {len(tie)} values, not a multiple of 6"
    found.expect("ModelTiepointTag", len(tie) % 6 == 0, told)
    found.expect("ModelTiepointTag", bool(tie) or not scale, "a scale has no tie point")


def _keys(found: Judge, words: Sequence[int], values: Mapping[int, Sequence[float]]) -> None:
    head = words[:_KEY_WORDS]
    right = len(head) == _KEY_WORDS and head[0] == 1 and head[1] == 1 and head[2] in {0, 1}
    told = f"the head of the directory is {head}, not version 1 revision 1.0 or 1.1"
    found.expect("GeoKeyDirectoryTag", right, told)
    count = head[3] if len(head) == _KEY_WORDS else 0
    told = f"it declares {count} keys and has {len(words) // _KEY_WORDS - 1}"
    found.expect("GeoKeyDirectoryTag", len(words) == _KEY_WORDS * (count + 1), told)
    entries = [
        tuple(words[i : i + _KEY_WORDS])
        for i in range(_KEY_WORDS, len(words) - _KEY_WORDS + 1, _KEY_WORDS)
    ]
    keys = [e[0] for e in entries]
    ordered = keys == sorted(set(keys))
    found.expect("GeoKeyDirectoryTag", ordered, "the keys are not in ascending order")
    sizes = {DOUBLES: len(values.get(DOUBLES, ())), ASCII: len(values.get(ASCII, ()))}
    for key, place, number, offset in entries:
        if place in sizes:
            told = f"the value of key {key} lies outside of tag {place}"
            found.expect("GeoKeyDirectoryTag", offset + number <= sizes[place], told)
    plain = {e[0]: e[3] for e in entries if e[1] == 0}
    model = plain.get(MODEL)
    told = f"it is {model}, none of 1, 2, 3" if model is not None else "it is missing"
    found.expect("GTModelTypeGeoKey", model in {1, 2, 3, _USER_DEFINED}, told)
    kind = plain.get(RASTER)
    told = f"it is {kind}, neither 1 nor 2" if kind is not None else "it is missing"
    found.expect("GTRasterTypeGeoKey", kind in {1, 2}, told)
    if model == 1:
        found.expect("ProjectedCRSGeoKey", PROJECTED in keys, "it is missing in a projected model")
    if model in {2, 3}:
        found.expect("GeodeticCRSGeoKey", GEODETIC in keys, "it is missing in a geodetic model")
    _codes(found, model, plain, set(keys))
    text = values.get(ASCII, ())
    if text:
        told = "the texts do not end with |"
        found.expect("GeoAsciiParamsTag", chr(int(text[-1])) == "|", told)


def _codes(found: Judge, model: int | None, plain: Mapping[int, int], keys: set[int]) -> None:
    """Judges the codes of coordinate reference systems: defined, and of the kind of their key."""
    projected, geodetic = plain.get(PROJECTED), plain.get(GEODETIC)
    if model == 1 and projected is not None:
        if projected == _USER_DEFINED:
            told = "it is user-defined, and nothing defines it"
            found.expect("ProjectedCRSGeoKey", bool(keys & _DEFINITIONS), told)
        else:
            told = f"{projected} is not a projected CRS of EPSG"
            found.expect("ProjectedCRSGeoKey", _is_epsg(projected, "is_projected"), told)
    if model in {2, 3} and geodetic is not None and geodetic != _USER_DEFINED:
        kind = "is_geographic" if model == 2 else "is_geocentric"
        told = f"{geodetic} is not a {kind.removeprefix('is_')} CRS of EPSG"
        found.expect("GeodeticCRSGeoKey", _is_epsg(geodetic, kind), told)


def _is_epsg(code: int, kind: str) -> bool:
    try:
        return bool(getattr(pyproj.CRS.from_epsg(code), kind))
    except CRSError:
        return False
