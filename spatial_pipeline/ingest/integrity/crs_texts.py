"""Definitions of a CRS that stand in a source and that GDAL passes over without a word.

GDAL gives no CRS where a text is none, as where there is no text. This module reads the text
itself, where a format has it, and says how it begins.

Sources: FlatGeobuf 3.0 (header.fbs), OGC 12-128r19 (GeoPackage), the SQLite driver's
``spatial_ref_sys``, OGC 07-036 (GML ``srsName``), GDAL's VRT and PAM (``<SRS>``).
"""

from __future__ import annotations

import re
import sqlite3
import struct
from collections.abc import Iterable, Iterator, Mapping
from contextlib import closing
from dataclasses import dataclass, replace
from html import unescape
from pathlib import Path

import pyproj
from pyproj.exceptions import CRSError

from spatial_pipeline.ingest.integrity.sqlite import read_only
from spatial_pipeline.sources.local import SourceFiles

SHOWN = 80
"""Characters of a text that a note shows."""
HEAD = 1 << 20
"""Bytes of a file in which a text is looked for."""
_WKT = re.compile(
    r"\s*(PROJ|GEOG|GEOD|GEOC|COMPD_|COMPOUND|LOCAL_|ENG|BOUND|VERT|DERIVED)\w*\s*[\[(]",
    re.IGNORECASE,
)
_SRS = re.compile(r"<SRS\b[^>]*>(.*?)</SRS>", re.DOTALL)
_SRS_NAME = re.compile(r"\bsrsName\s*=\s*[\"']([^\"']*)[\"']")
_ENVI = re.compile(r"(?im)^\s*coordinate system string\s*=\s*\{(.*?)\}?\s*$")
_TAGS = ("#spatial_ref", "#crs_wkt", "#esri_pe_string")
_FGB_MAGIC = 8
_FGB_CRS, _FGB_WKT, _FGB_CODE, _FGB_ORG = 10, 4, 1, 0
"""Numbers of the fields in the tables of a FlatGeobuf header."""


@dataclass(frozen=True)
class CrsText:
    """A definition as it stands in a source.

    Attributes:
        where: where it stands, for people.
        text: the definition.

    """

    where: str
    text: str

    def note(self) -> str:
        """Note on a definition that was not used."""
        shown = " ".join(self.text.split())
        shown = shown if len(shown) <= SHOWN else f"{shown[:SHOWN]}…"
        told = "not used" if self.understood() else "not understood"
        return f"the CRS in {self.where} is {told}: {shown!r}"

    def told(self, notes: Iterable[str]) -> bool:
        """True when GDAL said the text itself."""
        begins = " ".join(self.text.split())[:SHOWN]
        return any(begins in note for note in notes)

    def understood(self) -> bool:
        """True when PROJ understands it."""
        try:
            pyproj.CRS.from_user_input(self.text)
        except CRSError:
            return False
        return True


def without_broken_prj(resolved: SourceFiles) -> tuple[SourceFiles, list[str]]:
    """The source without a .prj that is WKT and damaged, for which pyogrio refuses the whole.

    Args:
        resolved: a view of its own, see ``private_view``; a file is removed from it.

    Returns:
        The source, and notes on what was removed.

    """
    notes = []
    kept = []
    for file in resolved.files:
        if file.suffix.casefold() == ".prj" and resolved.files[0].suffix.casefold() == ".shp":
            text = CrsText(file.name, _head(file))
            if _WKT.match(text.text) and not text.understood():
                notes.append(text.note())
                file.unlink()
                continue
        kept.append(file)
    return replace(resolved, files=tuple(kept)), notes


def of_vector(driver: str, resolved: SourceFiles, layer: str | None) -> Iterator[CrsText]:
    """The definitions that a vector source holds for a layer that is read without a CRS."""
    first = resolved.files[0]
    if first.is_dir():
        return
    if driver == "ESRI Shapefile":
        yield from _prj(resolved)
    elif driver == "FlatGeobuf":
        yield from _flatgeobuf(first)
    elif driver in {"GPKG", "SQLite"}:
        yield from _database(first, layer)
    elif driver == "GML" and first.suffix.casefold() != ".gz":
        found = _SRS_NAME.search(_head(first))
        if found is not None and found[1].strip():
            yield CrsText("srsName", unescape(found[1]))


def of_raster(
    driver: str, resolved: SourceFiles, tags: Mapping[str, str], *, placed: bool
) -> Iterator[CrsText]:
    """The definitions that a raster holds and of which nothing came.

    Args:
        driver: GDAL driver short name.
        resolved: the source.
        tags: the tags of the raster.
        placed: True when GDAL found a CRS, which then is that of another text.

    """
    first = resolved.files[0]
    for file in resolved.files:
        if driver == "ENVI" and file.suffix.casefold() == ".hdr":
            for match in _ENVI.finditer(_head(file)):
                text = CrsText(file.name, match[1])
                if match[1].strip() and not text.understood():
                    yield text
    if placed or first.is_dir():
        return
    for file in resolved.files:
        if (driver == "VRT" and file == first) or file.name.casefold().endswith(".aux.xml"):
            for match in _SRS.finditer(_head(file)):
                if match[1].strip():
                    yield CrsText(f"{file.name}, SRS", unescape(match[1]))
    yield from _prj(resolved)
    for name, value in tags.items():
        if name.endswith(_TAGS) and value.strip():
            yield CrsText(name, value)


def _prj(resolved: SourceFiles) -> Iterator[CrsText]:
    for file in resolved.files:
        if file.suffix.casefold() == ".prj":
            text = _head(file)
            if text.strip():
                yield CrsText(file.name, text)


def _database(file: Path, layer: str | None) -> Iterator[CrsText]:
    """The text of the spatial reference system that the table of a layer names."""
    geopackage = (
        "SELECT s.definition FROM gpkg_geometry_columns g JOIN gpkg_spatial_ref_sys s "
        "ON s.srs_id = g.srs_id WHERE g.srs_id > 0 "
        "AND (?1 IS NULL OR g.table_name = ?1 COLLATE NOCASE)"
    )
    plain = (
        "SELECT s.srtext FROM geometry_columns g JOIN spatial_ref_sys s ON s.srid = g.srid "
        "WHERE ?1 IS NULL OR g.f_table_name = ?1 COLLATE NOCASE"
    )
    with closing(read_only(file)) as database:
        database.text_factory = lambda value: value.decode("utf-8", "replace")
        for where, query in (("gpkg_spatial_ref_sys", geopackage), ("spatial_ref_sys", plain)):
            try:
                rows = database.execute(query, (layer,)).fetchall()
            except sqlite3.DatabaseError:
                continue
            yield from (CrsText(where, str(text)) for (text,) in rows if text)


def _flatgeobuf(file: Path) -> Iterator[CrsText]:
    with file.open("rb") as opened:
        data = opened.read(HEAD)
    try:
        header = _Table.root(data, _FGB_MAGIC + 4)
        crs = header.table(_FGB_CRS)
        if crs is None:
            return
        wkt = crs.string(_FGB_WKT)
        code = crs.integer(_FGB_CODE)
        if wkt:
            yield CrsText("the header", wkt)
        elif code:
            yield CrsText("the header", f"{crs.string(_FGB_ORG) or 'EPSG'}:{code}")
    except (struct.error, IndexError):
        return


@dataclass(frozen=True)
class _Table:
    """A table of a FlatBuffer: its fields are found through a list of offsets."""

    data: bytes
    start: int

    @classmethod
    def root(cls, data: bytes, start: int) -> _Table:
        return cls(data, start + _unsigned(data, start))

    def place(self, field: int) -> int | None:
        (back,) = struct.unpack_from("<i", self.data, self.start)
        listed = self.start - back
        size, entry = struct.unpack_from("<H", self.data, listed)[0], 4 + 2 * field
        if entry + 2 > size:
            return None
        (offset,) = struct.unpack_from("<H", self.data, listed + entry)
        return self.start + offset if offset else None

    def integer(self, field: int) -> int:
        place = self.place(field)
        return 0 if place is None else int(struct.unpack_from("<i", self.data, place)[0])

    def table(self, field: int) -> _Table | None:
        place = self.place(field)
        return None if place is None else _Table.root(self.data, place)

    def string(self, field: int) -> str:
        place = self.place(field)
        if place is None:
            return ""
        start = place + _unsigned(self.data, place)
        length = _unsigned(self.data, start)
        return self.data[start + 4 : start + 4 + length].decode("utf-8", "replace")


def _unsigned(data: bytes, at: int) -> int:
    return int(struct.unpack_from("<I", data, at)[0])


def _head(file: Path) -> str:
    with file.open("rb") as opened:
        return opened.read(HEAD).decode("utf-8-sig", "replace")
