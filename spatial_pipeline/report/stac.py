"""A version as a STAC item (1.1.0): extent, CRS, columns or bands, file, and verdict."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Any

import pyproj

from spatial_pipeline.contract.vocabulary import Bounds
from spatial_pipeline.model.crs.comparison import authority
from spatial_pipeline.model.profile import BandProfile, Profile, VectorProfile
from spatial_pipeline.model.result import Verdict
from spatial_pipeline.model.version import Version
from spatial_pipeline.runtime.hashing import MULTIHASH
from spatial_pipeline.runtime.json_text import plain

PROJECTION = "https://stac-extensions.github.io/projection/v2.0.0/schema.json"
FILE = "https://stac-extensions.github.io/file/v2.1.0/schema.json"
TABLE = "https://stac-extensions.github.io/table/v1.2.0/schema.json"
MEDIA_TYPES = {
    ".parquet": "application/vnd.apache.parquet",
    ".tif": "image/tiff; application=geotiff; profile=cloud-optimized",
}
PUBLISHED = "spatial_pipeline:published_at"
DENSIFIED = 21
"""Points on each side of an extent that are projected."""


@dataclass(frozen=True)
class VersionFile:
    """The data file of a version.

    Attributes:
        href: address of the file.
        suffix: ending of its name.
        size: bytes.
        sha256: digest of its bytes, hexadecimal.

    """

    href: str
    suffix: str
    size: int
    sha256: str


def stac_item(
    version: Version,
    profile: Profile,
    file: VersionFile,
    times: tuple[str, str | None],
    verdict: Verdict | None,
) -> dict[str, Any]:
    """The item, ready for JSON.

    Args:
        version: the version.
        profile: its profile.
        file: its data file.
        times: ISO 8601 times in UTC of its staging and of its publication; None unless readers see
            the version.
        verdict: its verdict; None when it was never checked.

    """
    staged_at, published_at = times
    bbox = wgs84_bounds(profile)
    place = "" if version.partition is None else f"-{version.partition}"
    vector = isinstance(profile, VectorProfile)
    item = {
        "type": "Feature",
        "stac_version": "1.1.0",
        "stac_extensions": [PROJECTION, FILE, *([TABLE] if vector else [])],
        "id": f"{version.dataset}{place}-{version.id}",
        "geometry": None if bbox is None else _polygon(bbox),
        **({} if bbox is None else {"bbox": list(bbox)}),
        "properties": {
            "datetime": _instant(published_at or staged_at),
            "created": _instant(staged_at),
            **({} if published_at is None else {PUBLISHED: _instant(published_at)}),
            **_projection(profile),
            **(_table(profile) if isinstance(profile, VectorProfile) else {}),
            **_verdict(version, verdict),
        },
        "links": [],
        "assets": {
            "data": {
                "href": file.href,
                "type": MEDIA_TYPES.get(file.suffix, "application/octet-stream"),
                "roles": ["data"],
                "file:size": file.size,
                "file:checksum": MULTIHASH + file.sha256,
                **({} if vector else {"bands": [_band(i, b) for i, b in _bands(profile)]}),
            }
        },
    }
    kept: dict[str, Any] = plain(item)
    return kept


def wgs84_bounds(profile: Profile) -> Bounds | None:
    """Extent (west, south, east, north) in degrees; None without an extent or a CRS.

    West is greater than east where the extent crosses the antimeridian, as in GeoJSON.
    """
    crs, bounds = profile.pyproj_crs, profile.bounds
    if crs is None or bounds is None:
        return None
    try:
        transformer = pyproj.Transformer.from_crs(crs, "OGC:CRS84", always_xy=True)
        found = transformer.transform_bounds(*bounds, densify_pts=DENSIFIED)
    except pyproj.exceptions.ProjError:
        return None
    if not all(map(math.isfinite, found)):
        return None
    west, south, east, north = (float(v) for v in found)
    return west, south, east, north


def _polygon(bbox: Bounds) -> dict[str, Any]:
    west, south, east, north = bbox
    if west <= east:
        return {"type": "Polygon", "coordinates": [_ring(*bbox)]}
    halves = (_ring(west, south, 180.0, north), _ring(-180.0, south, east, north))
    return {"type": "MultiPolygon", "coordinates": [[ring] for ring in halves]}


def _ring(west: float, south: float, east: float, north: float) -> list[list[float]]:
    return [[west, south], [east, south], [east, north], [west, north], [west, south]]


def _instant(text: str) -> str:
    """ISO 8601 with Z, as STAC has times in UTC."""
    return text.replace("+00:00", "Z")


def _projection(profile: Profile) -> dict[str, Any]:
    crs = profile.pyproj_crs
    code = None if crs is None else authority(crs)
    found: dict[str, Any] = {"proj:code": code}
    if crs is not None and code is None:
        found["proj:wkt2"] = crs.to_wkt()
    if profile.bounds is not None:
        found["proj:bbox"] = list(profile.bounds)
    if not isinstance(profile, VectorProfile):
        found["proj:shape"] = [profile.height, profile.width]
        found["proj:transform"] = list(profile.transform)
    return found


def _table(profile: VectorProfile) -> dict[str, Any]:
    columns = [{"name": c.name, "type": c.type} for c in profile.columns]
    found: dict[str, Any] = {"table:row_count": profile.count}
    if profile.geometry_column is not None:
        found["table:primary_geometry"] = profile.geometry_column
        kind = profile.geometry_type or "Unknown"
        columns.append({"name": profile.geometry_column, "type": kind})
    return {**found, "table:columns": columns}


def _bands(profile: Profile) -> list[tuple[int, BandProfile]]:
    bands = () if isinstance(profile, VectorProfile) else profile.bands
    return list(enumerate(bands, start=1))


def _band(number: int, band: BandProfile) -> dict[str, Any]:
    nodata = band.nodata
    if isinstance(nodata, float) and not math.isfinite(nodata):
        nodata = str(nodata)
    known = {
        "name": band.description or f"band {number}",
        "data_type": band.data_type if band.data_type in DATA_TYPES else "other",
        "nodata": NON_FINITE.get(str(nodata).lower(), nodata),
        "unit": band.unit,
    }
    return {key: value for key, value in known.items() if value is not None}


def _verdict(version: Version, verdict: Verdict | None) -> dict[str, Any]:
    """Properties of our own: what was checked, and with which result."""
    found: dict[str, Any] = {
        "spatial_pipeline:dataset": version.dataset,
        "spatial_pipeline:partition": version.partition,
        "spatial_pipeline:version": version.id,
        "spatial_pipeline:passed": verdict is not None and verdict.passed,
    }
    if verdict is not None:
        found["spatial_pipeline:checked_at"] = _instant(verdict.checked_at)
        found["spatial_pipeline:results"] = [
            {
                "name": r.name,
                "rule": r.rule,
                "severity": r.severity.value,
                "status": r.status.value,
                "violations": r.violations,
            }
            for r in verdict.results
        ]
    return found


DATA_TYPES = frozenset(
    {
        *(f"{sign}int{bits}" for sign in ("", "u") for bits in (8, 16, 32, 64)),
        *(f"float{bits}" for bits in (16, 32, 64)),
        *(f"c{kind}" for kind in ("int16", "int32", "float32", "float64")),
    }
)
"""Types of pixels that STAC has words for."""
NON_FINITE = {"nan": "nan", "inf": "inf", "infinity": "inf", "-inf": "-inf", "-infinity": "-inf"}
"""Spelling of values that JSON has no numbers for."""
