"""The GDAL drivers that may open a foreign file; all others are taken away from GDAL in the cage.

Only drivers that read nothing but the named file and its own parts stand here. VRT and OGR VRT do
read other files: ``references`` resolves those first, and the file is refused where it cannot.
"""

from __future__ import annotations

import ctypes
import sys
from pathlib import Path

VECTOR_DRIVERS = frozenset(
    {"AVCBin", "AVCE00", "CSV", "DGN", "DXF", "EDIGEO", "ESRI Shapefile", "ESRIJSON", "FlatGeobuf",
     "GML", "GPKG", "GPX", "GTFS", "GeoJSON", "GeoJSONSeq", "GeoRSS", "JML", "JSONFG", "KML",
     "LIBKML", "LVBAG", "MBTiles", "MVT", "MapInfo File", "MapML", "MiraMonVector", "ODS",
     "OGR_GMT", "OGR_PDS", "OGR_VRT", "OSM", "OpenFileGDB", "PGDUMP", "PMTiles", "S57", "SQLite",
     "SXF", "Selafin", "TopoJSON", "VDV", "VFK", "WAsP", "XLSX"}
)  # fmt: skip
RASTER_DRIVERS = frozenset(
    {"AAIGrid", "ACE2", "ADRG", "AIG", "BAG", "BIGGIF", "BLX", "BMP", "BSB", "BT", "BYN", "CTG",
     "CTable2", "DOQ1", "DOQ2", "DTED", "EHdr", "EIR", "ELAS", "ENVI", "ERS", "GFF", "GIF", "GPKG",
     "GRASSASCIIGrid", "GRIB", "GS7BG", "GSAG", "GSBG", "GSC", "GTX", "GTiff", "GXF", "GenBin",
     "HDF5", "HDF5Image", "HF2", "HFA", "ILWIS", "IRIS", "ISCE", "ISG", "ISIS2", "ISIS3",
     "JDEM", "JP2OpenJPEG", "JPEG", "KRO", "LAN", "LCP", "LOSLAS", "Leveller", "MBTiles", "MFF",
     "NDF", "NGSGEOID", "NITF", "NTv2", "NWT_GRC", "NWT_GRD", "OpenFileGDB", "PAux", "PCRaster",
     "PNG", "PNM", "R", "RIK", "RMF", "ROI_PAC", "RRASTER", "RST", "S102", "S104", "S111", "SAGA",
     "SDTS", "SGI", "SIGDEM", "SNAP_TIFF", "SNODAS", "SRTMHGT", "TGA", "Terragen", "USGSDEM",
     "VRT", "WEBP", "XPM", "XYZ", "ZMap", "Zarr", "netCDF"}
)  # fmt: skip
WRITTEN = frozenset({"COG", "GTiff", "MEM", "Memory", "VRT"})
"""Drivers with which staged rasters are written."""


def restrict() -> None:
    """Takes all other drivers away from each GDAL of this process, for ever.

    It does so where the loaded libraries can be found, which is on Linux.
    """
    for library in _libraries():
        keep = VECTOR_DRIVERS if library.parent.name.startswith("pyogrio") else RASTER_DRIVERS
        if not library.parent.name.startswith(("pyogrio", "rasterio")):
            keep = VECTOR_DRIVERS | RASTER_DRIVERS
        _deregister(library, keep | WRITTEN)


def registered(package: str) -> set[str]:
    """Drivers that the GDAL of a package (``pyogrio`` or ``rasterio``) has at this moment."""
    found: set[str] = set()
    for path in _libraries():
        if path.parent.name.startswith(package) or path.parent.name == "lib":
            library = _loaded(path)
            for index in range(library.GDALGetDriverCount()):
                found.add(_name(library, library.GDALGetDriver(index)))
    return found


def _libraries() -> list[Path]:
    """GDAL libraries that this process has loaded: wheels bring one each."""
    if sys.platform != "linux":
        return []
    lines = Path("/proc/self/maps").read_text(encoding="utf-8", errors="replace").splitlines()
    paths = {Path(line.split(maxsplit=5)[5]) for line in lines if "/libgdal" in line}
    return sorted(paths)


def _loaded(path: Path) -> ctypes.CDLL:
    library = ctypes.CDLL(str(path))
    library.GDALGetDriver.restype = ctypes.c_void_p
    library.GDALGetDriverShortName.restype = ctypes.c_char_p
    library.GDALGetDriverShortName.argtypes = [ctypes.c_void_p]
    library.GDALDeregisterDriver.argtypes = [ctypes.c_void_p]
    library.GDALDeregisterDriver.restype = None
    return library


def _deregister(path: Path, keep: frozenset[str]) -> None:
    library = _loaded(path)
    library.GDALAllRegister()
    for index in reversed(range(library.GDALGetDriverCount())):
        driver = library.GDALGetDriver(index)
        if _name(library, driver) not in keep:
            library.GDALDeregisterDriver(driver)


def _name(library: ctypes.CDLL, driver: int) -> str:
    name: bytes = library.GDALGetDriverShortName(driver)
    return name.decode()
