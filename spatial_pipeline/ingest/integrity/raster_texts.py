"""Numbers that are written as text in and beside rasters: georeferencing and nodata values.

GDAL reads a number up to the first character that does not fit, and 0 where there is none, so a
world file with ``abc`` in it places a raster somewhere. What is not a number is refused here.
"""

from __future__ import annotations

import re
from dataclasses import dataclass, field
from decimal import Decimal
from pathlib import Path
from xml.etree import ElementTree as ET

from spatial_pipeline.errors import SourceError
from spatial_pipeline.ingest.raster_vrt import parsed
from spatial_pipeline.sources.sidecars import world_files

_NUMBER = re.compile(r"[+-]?(\d+[.,]?\d*|[.,]\d+)([eE][+-]?\d+)?")
_WORDS = {
    "nan": "NaN", "-nan": "NaN", "1.#qnan": "NaN", "-1.#qnan": "NaN", "-1.#ind": "NaN",
    "1.#ind": "NaN", "inf": "Infinity", "+inf": "Infinity", "infinity": "Infinity",
    "1.#inf": "Infinity", "-inf": "-Infinity", "-infinity": "-Infinity", "-1.#inf": "-Infinity",
}  # fmt: skip
"""Spellings of non-finite values by GDAL and the C libraries of three systems."""
_COEFFICIENTS = 6
HEADER_BYTES = 1 << 16
"""Longest text header that is looked at."""
_GRID = re.compile(r"(?im)^\s*(ncols|nrows|xll\w*|yll\w*|cellsize|dx|dy|nodata_value)\s+(\S+)")
_ENVI = re.compile(r"(?im)^\s*data ignore value\s*=\s*(.*?)\s*$")
_RAW = re.compile(r"(?im)^\s*(ulxmap|ulymap|xdim|ydim|nodata(?:_value)?)\s+(.*?)\s*$")


@dataclass
class Written:
    """Values that a raster declares as text.

    Attributes:
        nodata: by 1-based band, 0 for all bands that have none of their own.
        notes: notes on texts that are not understood and not used.

    """

    nodata: dict[int, str] = field(default_factory=dict)
    notes: list[str] = field(default_factory=list)


def number(text: str) -> Decimal | None:
    """The exact number that a text says; a comma may stand for the point. None when it is none."""
    text = text.strip()
    word = _WORDS.get(text.casefold())
    if word is not None:
        return Decimal(word)
    if _NUMBER.fullmatch(text) is None:
        return None
    return Decimal(text.replace(",", "."))


def written(file: Path, driver: str, *, placed: bool, used: frozenset[Path]) -> Written:
    """Looks into the texts of a raster.

    Args:
        file: the raster.
        driver: GDAL driver short name.
        placed: True when GDAL found a geotransform or ground control points.
        used: the files that GDAL reads.

    Raises:
        SourceError: a number that places the raster is none, or is not finite.

    """
    found = Written()
    for world in world_files(file):
        if world in used or not placed:
            _world_file(world)
    if driver == "VRT":
        _xml(file, found, "VRTRasterBand")
    pam = file.with_name(file.name + ".aux.xml")
    if pam.is_file() and pam != file:
        _xml(pam, found, "PAMRasterBand")
    if driver == "AAIGrid":
        _grid(file, found)
    for header in (file.with_suffix(".hdr"), file.with_name(file.name + ".hdr")):
        if driver == "ENVI" and header.is_file():
            for match in _ENVI.finditer(_head(header)):
                found.nodata.setdefault(0, match[1])
        if driver == "EHdr" and header.is_file():
            _raw(header, found)
    return found


def _world_file(file: Path) -> None:
    # Python ends lines at more characters than GDAL does.
    lines = [line for line in re.split(r"[\r\n]+", _head(file)) if line.strip()][:_COEFFICIENTS]
    if len(lines) < _COEFFICIENTS:
        msg = f"world file {file.name} has {len(lines)} lines, not {_COEFFICIENTS}"
        raise SourceError(msg)
    values = [
        _placing(line, f"world file {file.name}, line {i}") for i, line in enumerate(lines, 1)
    ]
    a, d, b, e = (float(v) for v in values[:4])
    if not a * e - b * d:
        msg = f"world file {file.name}: its pixels have no area"
        raise SourceError(msg)


def _xml(file: Path, found: Written, band_element: str) -> None:
    try:
        root = parsed(file.read_bytes())
    except ET.ParseError as exc:
        found.notes.append(f"{file.name} is not well-formed XML and is not used: {exc}")
        return
    transform = root.findtext("GeoTransform")
    if transform is not None:
        parts = transform.split(",")
        if len(parts) != _COEFFICIENTS:
            msg = f"{file.name}: GeoTransform has {len(parts)} numbers, not {_COEFFICIENTS}"
            raise SourceError(msg)
        for part in parts:
            _placing(part, f"{file.name}, GeoTransform")
    for place, band in enumerate(root.findall(band_element), 1):
        value = band.findtext("NoDataValue")
        if value is not None:
            index = band.get("band", str(place))
            found.nodata[int(index) if index.isdecimal() else place] = value


def _grid(file: Path, found: Written) -> None:
    """The header of an Arc/Info ASCII grid: lines of a name and a number before the rows."""
    for match in _GRID.finditer(_head(file)):
        if match[1].casefold() == "nodata_value":
            found.nodata.setdefault(0, match[2])
        else:
            _placing(match[2], match[1])


def _raw(header: Path, found: Written) -> None:
    for match in _RAW.finditer(_head(header)):
        if match[1].casefold().startswith("nodata"):
            found.nodata.setdefault(0, match[2])
        else:
            _placing(match[2], f"{header.name}, {match[1]}")


def _placing(text: str, where: str) -> Decimal:
    value = number(text)
    if value is None or not value.is_finite():
        msg = f"{where}: {text.strip()[:60]!r} is not a finite number"
        raise SourceError(msg)
    return value


def _head(file: Path) -> str:
    with file.open("rb") as opened:
        return opened.read(HEADER_BYTES).decode("latin-1")
