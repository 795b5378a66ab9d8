"""Layout of a CSV file: its delimiter, the names of its columns, and which hold the geometry.

Delimiter and header are found as GDAL finds them, so that files keep their columns. Records belong
to ``csv_records``, types to ``csv_types`` and ``csv_declared``.
"""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from spatial_pipeline.errors import SourceError
from spatial_pipeline.ingest.formats.csv_records import BLOCK, Records
from spatial_pipeline.ingest.formats.csv_text import opened_text, shown
from spatial_pipeline.ingest.schema import distinct_names, free_name

WKT_NAMES = ("wkt", "geometry", "geom", "the_geom", "wkt_geom", "shape")
XY_NAMES = (
    ("x", "y"), ("lon", "lat"), ("lng", "lat"), ("long", "lat"), ("longitude", "latitude"),
    ("easting", "northing"), ("x_coord", "y_coord"), ("xcoord", "ycoord"), ("point_x", "point_y"),
    ("prim_long_dec", "prim_lat_dec"),
)  # fmt: skip
"""Pairs that belong together, the likelier first; compared caselessly."""
GEONAMES = (
    ("GEONAMEID", "String"), ("NAME", "String"), ("ASCIINAME", "String"), ("ALTNAMES", "String"),
    ("LATITUDE", "Real"), ("LONGITUDE", "Real"), ("FEATCLASS", "String"), ("FEATCODE", "String"),
    ("COUNTRY", "String"), ("CC2", "String"), ("ADMIN1", "String"), ("ADMIN2", "String"),
    ("ADMIN3", "String"), ("ADMIN4", "String"), ("POPULATION", "Real"), ("ELEVATION", "Integer"),
    ("GTOPO30", "Integer"), ("TIMEZONE", "String"), ("MODDATE", "String"),
)  # fmt: skip
"""Columns of the tables of geonames.org, which have no header."""
_NUMBER = re.compile(rb"\s*[+-]?([0-9]+\.?[0-9]*|\.[0-9]+)([eEdD][+-]?[0-9]+)?\s*")
_SEPARATED = re.compile(rb"sep=(.)\r?\n", re.IGNORECASE)
_CODE = re.compile(r"_EPSG_([0-9]+)", re.IGNORECASE)


@dataclass(frozen=True)
class CsvLayout:
    """Dialect and columns of a CSV file.

    Attributes:
        encoding: Python's name.
        skip: bytes in front of the first record: byte order mark and ``sep=`` line.
        delimiter: the byte between fields.
        header: whether the first record names the columns.
        names: names of the columns, distinct.
        types: types that the format itself declares, none elsewhere.

    """

    encoding: str
    skip: int
    delimiter: int
    header: bool
    names: tuple[str, ...]
    types: tuple[str, ...] = ()


def layout_of(file: Path, encoding: str, skip: int, notes: list[str]) -> CsvLayout:
    """Reads the start of a file.

    Args:
        file: the file.
        encoding: Python's name of its encoding.
        skip: bytes of its byte order mark.
        notes: grows by what is odd.

    Raises:
        SourceError: a column name does not decode, or quotes do not pair up.

    """
    with opened_text(file, encoding, skip) as text:
        head = b""
        while b"\n" not in head.strip() and b"\r" not in head.strip():
            piece = text.read(BLOCK)
            if not piece or len(head) > BLOCK:
                break
            head += piece
    stated = _SEPARATED.match(head)
    if stated is not None and encoding == "utf-8":
        delimiter, skip = stated[1][0], skip + stated.end()
    else:
        delimiter = _delimiter(head, file.suffix.casefold())
    with opened_text(file, encoding, skip) as text:
        first, quoted = Records(text, delimiter).header()
    numeric = [
        not quote and _NUMBER.fullmatch(field) is not None
        for field, quote in zip(first, quoted, strict=True)
    ]
    if len(first) == len(GEONAMES) and numeric[0] and numeric[4] and numeric[5]:
        given, types = zip(*GEONAMES, strict=True)
        return CsvLayout(encoding, skip, delimiter, False, given, types)
    header = not any(numeric)
    if not header:
        notes.append("the first line holds numbers, so it was read as data, not as column names")
    names = distinct_names([_name(f, i, header) for i, f in enumerate(first)])
    return CsvLayout(encoding, skip, delimiter, header, tuple(names))


def _name(field: bytes, index: int, header: bool) -> str:
    """The name of a column; fields of a file without header are numbered."""
    try:
        name = field.decode().strip(" ") if header else ""
    except UnicodeDecodeError as exc:
        msg = (
            f"the name of column {index + 1}, {shown(field)!r}, does not decode: name the encoding "
            "of the file in the contract (source: {encoding: …})"
        )
        raise SourceError(msg) from exc
    if "\0" in name:
        msg = f"the name of column {index + 1}, {name[:60]!r}, holds the character NUL"
        raise SourceError(msg)
    return name or f"field_{index + 1}"


def _delimiter(head: bytes, suffix: str) -> int:
    """The byte that occurs most in the first line, a space only where no other does."""
    lines = [line for line in re.split(rb"[\r\n]+", head) if line][:2]
    first = _unquoted(lines[0]) if lines else b""
    if b"\t" in first:
        counts = [_unquoted(line).count(b"\t") for line in lines]
        if suffix == ".tsv" or (len(counts) == 2 and counts[0] == counts[1]):
            return ord("\t")
    counted = {c: first.count(c) for c in b",;\t|"}
    most = max(counted.values())
    if not most:
        return ord(" ") if b" " in first else ord(",")
    best = [c for c, count in counted.items() if count == most]
    return best[0] if len(best) == 1 else ord(",")


def _unquoted(line: bytes) -> bytes:
    """A line without its quoted parts."""
    return b"".join(line.split(b'"')[::2])


@dataclass(frozen=True)
class GeometryColumns:
    """Columns of a table that hold its geometry.

    Attributes:
        axes: columns of x, y and perhaps z.
        text: column of texts, None with axes.
        name: name of the geometry column as staged.
        staged: whether the column of texts is staged beside the geometry.
        crs: CRS that the name of the column implies, None without one.

    """

    name: str
    axes: tuple[int, ...] = ()
    text: int | None = None
    staged: bool = True
    crs: str | None = None


def place_of(names: Sequence[str], roles: Mapping[str, int]) -> GeometryColumns | None:
    """Find the geometry columns of a table; None for a table without geometry.

    A column of WKT wins over a pair of coordinate columns, an earlier pair over a later one. Both
    columns of a pair come from the same pair: an easting is never combined with a latitude.

    Args:
        names: names of the columns.
        roles: columns that a .csvt file declares as ``wkt``, ``x``, ``y`` or ``z``.

    """
    known = {n.casefold(): i for i, n in reversed(list(enumerate(names)))}
    text = next((known[n] for n in WKT_NAMES if n in known), None)
    if text is not None:
        base = "geometry" if names[text].casefold() == "wkt" else names[text]
        if roles.get("wkt") == text:
            base = f"geom_{names[text]}"
        return GeometryColumns(free_name(base, names), text=text, staged=False)
    marked = (i for i, n in enumerate(names) if n.casefold().startswith("_wkt"))
    text = roles.get("wkt", next(marked, None))
    if text is not None:
        code = _CODE.search(names[text])
        crs = None if code is None else f"EPSG:{code[1]}"
        return GeometryColumns(free_name(f"geom_{names[text]}", names), text=text, crs=crs)
    name = free_name("geometry", names)
    if "x" in roles and "y" in roles:
        return GeometryColumns(name, axes=tuple(roles[a] for a in "xyz" if a in roles))
    for pair in XY_NAMES:
        if pair[0] in known and pair[1] in known:
            return GeometryColumns(name, axes=(known[pair[0]], known[pair[1]]))
    return None
