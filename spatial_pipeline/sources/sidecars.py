"""Sidecar files that belong to a named file."""

from __future__ import annotations

import re
from pathlib import Path

from spatial_pipeline.errors import SourceError

_BY_STEM: dict[str, tuple[str, ...]] = {
    ".shp": (".shx", ".dbf", ".prj", ".cpg", ".qpj", ".qix", ".sbn", ".sbx", ".idm", ".ind"),
    ".dbf": (".cpg",),
    ".tab": (".dat", ".map", ".id", ".ind"),
    ".mif": (".mid",),
    ".csv": (".csvt", ".prj"),
    ".tsv": (".csvt", ".prj"),
    ".psv": (".csvt", ".prj"),
    ".txt": (".csvt", ".prj"),
    ".gml": (".gfs", ".xsd"),
    ".img": (".ige", ".rrd", ".rde"),
}
"""Sidecars that replace the suffix of the file."""
_BY_NAME = (".aux.xml", ".ovr", ".msk", ".msk.ovr", "-wal", "-journal", ".xml")
"""Sidecars that are added to the name of the file."""
_VECTOR = frozenset(
    {".shp", ".dbf", ".geojson", ".geojsonl", ".json", ".gpkg", ".fgb", ".csv", ".tsv", ".psv",
     ".parquet", ".gml", ".kml", ".kmz", ".gpx", ".tab", ".mif", ".xlsx", ".ods", ".sqlite", ".dxf",
     ".dgn", ".pbf"}
)  # fmt: skip
_RASTER_STEM = (".aux", ".aux.xml", ".wld", ".tab", ".hdr", ".prj", ".clr", ".stx", ".rpb", ".rpc",
                ".imd", ".met", ".ers", ".pvl", ".xml", ".pass", ".eph", "_rpc.txt",
                "_metadata.txt", "_metadata.xml", "-browse.jpg.aux.xml")  # fmt: skip
_DETACHED = frozenset(
    {".ers", ".hdr", ".bil", ".bip", ".bsq", ".bin", ".dat", ".raw", ".flt", ".img", ".sdat",
     ".sgrd", ".rst", ".rdc", ".grd", ".gri", ".mpr", ".mpl", ".lbl", ".000"}
)  # fmt: skip
"""Formats whose header and data are two files: all files of the same stem belong together."""
FOLDERS = (".gdb", ".zarr")


def sidecars(file: Path) -> list[Path]:
    """Existing sidecars of a file, in the order of their names; names are compared caselessly."""
    names = wanted(file.name)
    stem = file.stem.casefold() if file.suffix.casefold() in _DETACHED else None

    def belongs(name: str) -> bool:
        return name in names or (stem is not None and Path(name).stem == stem)

    return sorted(
        (
            p
            for p in file.parent.iterdir()
            if p.name != file.name and belongs(p.name.casefold()) and p.is_file()
        ),
        key=lambda p: p.name,
    )


def wanted(name: str) -> set[str]:
    """Names that sidecars of a file have, casefolded."""
    file = Path(name)
    suffix = file.suffix.casefold()
    stem = file.stem.casefold()
    name = name.casefold()
    found = {name + extra for extra in _BY_NAME}
    found |= {stem + extra for extra in _BY_STEM.get(suffix, ())}
    if suffix not in _VECTOR:
        found |= {stem + extra for extra in _RASTER_STEM}
        found |= {stem + extra for extra in _world_suffixes(suffix)}
        found |= _of_scene(stem)
    return found - {name}


def _of_scene(stem: str) -> set[str]:
    """Metadata of a satellite scene of which the file is one band or one tile.

    The names that GDAL's readers look for (gcore/mdreader): Landsat, GeoEye, Pléiades, ALOS, SPOT.
    """
    found = {re.split("_b", stem, maxsplit=1)[0] + "_mtl.txt", "metadata.dim"}
    found |= {re.split("_(?:rgb|pan)_", stem, maxsplit=1)[0] + "_metadata.txt"}
    if stem.startswith("img_"):
        for inner in (stem[4:], stem[4:].rpartition("_")[0]):
            found |= {f"dim_{inner}.xml", f"rpc_{inner}.xml"}
    if stem.startswith("img-"):
        found.add("summary.txt")
        for inner in (stem[3:], stem[6:]):
            found |= {f"hdr{inner}.txt", f"rpc{inner}.txt"}
    return found


def world_files(file: Path) -> list[Path]:
    """Existing world files of a raster."""
    suffixes = _world_suffixes(file.suffix.casefold()) | {".wld"}
    names = {file.stem.casefold() + suffix for suffix in suffixes}
    return [s for s in sidecars(file) if s.name.casefold() in names]


def _world_suffixes(suffix: str) -> set[str]:
    """World file suffixes of a raster suffix: .tif → .tfw and .tifw."""
    plain = suffix.removeprefix(".")
    if not plain:
        return set()
    return {f".{plain}w", f".{plain[0]}{plain[-1]}w"}


def folder_dataset(folder: Path) -> list[Path]:
    """All files of a format that is a folder (File Geodatabase, Zarr).

    Raises:
        SourceError: an ordinary folder.

    """
    if not folder.name.casefold().endswith(FOLDERS):
        msg = "is a folder: name a file in it"
        raise SourceError(msg)
    return sorted(p for p in folder.rglob("*") if p.is_file())


_NEEDED: dict[str, tuple[str, ...]] = {
    ".shp": (".shx", ".dbf", ".prj", ".cpg", ".qpj"),
    ".tab": (".dat", ".map", ".id"),
    ".mif": (".mid",),
    ".csv": (".csvt", ".prj"), ".tsv": (".csvt", ".prj"), ".psv": (".csvt", ".prj"),
    ".gml": (".gfs", ".xsd"),
    ".img": (".ige", ".rrd", ".rde", ".aux.xml", ".prj"),
    ".bil": (".hdr", ".prj", ".blw"), ".bsq": (".hdr", ".prj"), ".bip": (".hdr", ".prj"),
    ".asc": (".prj",),
}  # fmt: skip
_IMAGES = frozenset({".tif", ".tiff", ".png", ".jpg", ".jpeg", ".jp2", ".gif", ".bmp", ".webp"})


def candidates(name: str) -> list[str]:
    """Names of sidecars that are worth asking a server for, which tells no names by itself.

    Without index files, which hold nothing of the content; in capitals where the suffix is.
    """
    file = Path(name)
    suffix = file.suffix.casefold()
    extras = list(_NEEDED.get(suffix, ()))
    if suffix in _IMAGES:
        extras += [*sorted(_world_suffixes(suffix)), ".prj"]
    if file.suffix.isupper():
        extras = [e.upper() for e in extras]
    found = [file.stem + e for e in extras]
    if suffix in _IMAGES or suffix in {".img", ".asc", ".bil", ".bsq", ".bip"}:
        found += [name + e for e in (".aux.xml", ".ovr", ".msk")]
    return [f for f in dict.fromkeys(found) if f != name]
