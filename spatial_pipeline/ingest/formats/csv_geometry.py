"""Geometries of CSV files: from two or three columns of coordinates, or from a column of texts.

Texts are WKT, EWKT, hexadecimal (E)WKB or GeoJSON, each row its own. Where the columns are belongs
to ``csv_layout``, odd WKT to ``ingest.wkt``.
"""

from __future__ import annotations

import struct
from collections.abc import Sequence
from dataclasses import dataclass, field

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
import shapely
from numpy.typing import NDArray

from spatial_pipeline.ingest import wkt
from spatial_pipeline.ingest.formats.csv_fields import Mask
from spatial_pipeline.ingest.formats.csv_types import (
    COORDINATE,
    DECIMAL_COMMA,
    numbers,
    trimmed,
)

MAX_EXAMINED = 10_000
"""Texts of a batch that are read once more for the reason that they cannot be read."""
PLAIN_STARTS = frozenset(b"PLMGplmg")
"""First letters of types of which GEOS reads all that ``wkt.ODD`` does not find."""
_SRID = r"^\s*(?i:srid)\s*=\s*(?P<srid>[0-9]{1,9})\s*;(?P<text>(?s:.*))$"
_HEX = r"^([0-9A-Fa-f]{2})+$"
_SRID_FLAG, _FLAGS = 0x20000000, 0xE0000000
_SPACE = " \t\r\n\v\f"
_SIMPLE = 6
"""Highest WKB type whose parts are not nested."""
NOT_READ = "is not WKT"
_REASONS = {
    "Unexpected text after end of geometry": "has text behind the geometry",
    "do not form a closed linestring": "has a ring that is not closed",
    "Invalid number of points in LinearRing": "has a ring of too few points",
    "must contain 0 or >1 elements": "has a line of one point",
}
"""Messages of GEOS and their reasons; few, because defects are counted by reason."""


@dataclass
class Coordinates:
    """One column of coordinates, and the values seen so far.

    A comma is a decimal comma unless other values of the column have a decimal point: then it may
    separate thousands.
    """

    points: bool = False
    commas: bool = False
    others: bool = False

    def see(self, texts: pa.Array) -> None:
        """Looks at (n,) text, null where a field is empty."""
        bare = trimmed(texts)
        plain = pc.match_substring_regex(bare, COORDINATE)
        if pc.all(plain).as_py() is False:
            comma = pc.match_substring_regex(bare.filter(pc.invert(plain)), DECIMAL_COMMA)
            self.commas |= bool(pc.any(comma).as_py())
            self.others |= not pc.all(comma).as_py()
            bare = bare.filter(plain)
        self.points |= bool(pc.any(pc.match_substring(bare, ".")).as_py())
        self.others |= bool(pc.any(pc.is_inf(numbers(bare))).as_py())

    @property
    def kind(self) -> pa.DataType:
        """Type of the column as staged: numbers, unless a value is none."""
        ambiguous = self.points and self.commas
        return pa.string() if self.others or ambiguous else pa.float64()

    def values(self, texts: pa.Array) -> tuple[pa.Array, Mask]:
        """Numbers, null where a text is empty or no number, and which texts are no numbers."""
        bare = trimmed(texts)
        good = pc.match_substring_regex(bare, COORDINATE)
        if not self.points:
            good = pc.or_(good, pc.match_substring_regex(bare, DECIMAL_COMMA))
        found = numbers(pc.if_else(good, bare, pa.scalar(None, pa.string())))
        infinite = pc.fill_null(pc.is_inf(found), False)
        bad = np.asarray(pc.or_(pc.fill_null(pc.invert(good), False), infinite))
        if bad.any():
            found = pc.if_else(pa.array(bad), pa.scalar(None, pa.float64()), found)
        return found, bad


def matches_any(texts: pa.Array, form: str) -> bool:
    """Whether any text has a form."""
    return bool(pc.any(pc.match_substring_regex(texts, form)).as_py())


def points(axes: Sequence[pa.Array]) -> pa.Array:
    """Points in WKB; null where a coordinate is.

    Args:
        axes: x, y and perhaps z: (n,) double each, finite.

    """
    n, d = len(axes[0]), len(axes)
    rows = np.zeros((n, 5 + 8 * d), dtype=np.uint8)
    rows[:, :5] = np.frombuffer(struct.pack("<BI", 1, 1 if d == 2 else 1001), np.uint8)
    null = np.zeros(n, dtype=bool)
    for i, axis in enumerate(axes):
        column = np.ascontiguousarray(axis.fill_null(0).to_numpy(zero_copy_only=False), "<f8")
        rows[:, 5 + 8 * i : 13 + 8 * i] = column.view(np.uint8).reshape(n, 8)
        null |= np.asarray(axis.is_null())
    offsets = np.arange(n + 1, dtype=np.int32) * rows.shape[1]
    valid = np.packbits(~null, bitorder="little")
    buffers = [pa.py_buffer(valid), pa.py_buffer(offsets), pa.py_buffer(rows)]
    return pa.Array.from_buffers(pa.binary(), n, buffers)


@dataclass
class Texts:
    """Geometries of (n,) texts.

    Attributes:
        wkb: (n,) binary; null where the text is null or cannot be read.
        reasons: why texts cannot be read, by index.
        srids: (n,) SRID that a text names, 0 where it names none.

    """

    wkb: pa.Array
    srids: NDArray[np.int64]
    reasons: dict[int, str] = field(default_factory=dict)


def srids(texts: pa.Array) -> NDArray[np.int64]:
    """(n,) SRID that each text of a geometry names, 0 where it names none."""
    found = np.zeros(len(texts), dtype=np.int64)
    parts = pc.extract_regex(texts, _SRID)
    named = np.asarray(pc.fill_null(parts.is_valid(), False))
    found[named] = pc.struct_field(parts, "srid").filter(pa.array(named)).cast(pa.int64())
    for i in np.flatnonzero(np.asarray(pc.fill_null(pc.starts_with(texts, "0"), False))).tolist():
        raw = texts[i].as_py()[:18]
        if len(raw) == 18 and matches_any(pa.array([raw]), _HEX):
            word, srid = struct.unpack("<II" if raw[:2] == "01" else ">II", bytes.fromhex(raw[2:]))
            found[i] = srid if word & _SRID_FLAG else 0
    return found


def read_texts(texts: pa.Array, plain: bool) -> Texts:
    """Geometries of texts.

    Args:
        texts: (n,) text; null where there is no geometry.
        plain: whether all texts start like WKT that GEOS knows.

    """
    if plain:
        found = Texts(pa.nulls(0, pa.binary()), np.zeros(len(texts), dtype=np.int64))
        _read(texts, found)
        return found
    found = Texts(pa.nulls(0, pa.binary()), srids(texts))
    named = pc.struct_field(pc.extract_regex(texts, _SRID), "text")
    _read(pc.coalesce(named, texts), found)
    return found


def _read(texts: pa.Array, found: Texts) -> None:
    """Fills in ``wkb`` and ``reasons``."""
    odd = pc.fill_null(pc.match_substring_regex(texts, rf"^\s*[^plmgPLMG\s]|{wkt.ODD}"), False)
    if pc.any(odd).as_py():
        rows = np.flatnonzero(np.asarray(odd))
        rest = pc.if_else(odd, pa.scalar(None, pa.string()), texts)
    else:
        rows, rest = np.empty(0, dtype=np.int64), texts
    given = rest.to_numpy(zero_copy_only=False)
    geometry = shapely.from_wkt(given, on_invalid="ignore")
    lost = np.flatnonzero(shapely.is_missing(geometry) & np.asarray(rest.is_valid()))
    for i in lost.tolist():
        found.reasons[i] = _reason(given[i]) if len(found.reasons) < MAX_EXAMINED else NOT_READ
    wkb = np.asarray(shapely.to_wkb(geometry, flavor="iso"), dtype=object)
    for i in rows.tolist():
        try:
            wkb[i] = _one(texts[i].as_py())
        except wkt.WktError as exc:
            found.reasons[i] = str(exc)
    found.wkb = pa.array(wkb, pa.binary())


def _one(text: str) -> bytes:
    """WKB of one text that is no plain WKT."""
    bare = text.strip(_SPACE)
    if bare.startswith("{"):
        return wkt.json_to_wkb(bare)
    if bare.startswith("0"):
        return _from_hex(bare)
    return wkt.to_wkb(bare)


def _from_hex(text: str) -> bytes:
    """ISO WKB of hexadecimal WKB; curves and collections as they are, but without an SRID.

    Raises:
        WktError: it is none.

    """
    try:
        raw = bytes.fromhex(text)
    except ValueError as exc:
        msg = "is not hexadecimal WKB"
        raise wkt.WktError(msg) from exc
    if len(raw) < 5 or raw[0] > 1:
        msg = "is not hexadecimal WKB"
        raise wkt.WktError(msg)
    order = "<" if raw[0] else ">"
    (word,) = struct.unpack_from(order + "I", raw, 1)
    srid = bool(word & _SRID_FLAG)
    if (word & ~_FLAGS) % 1000 > _SIMPLE:
        plain = struct.pack(order + "I", word & ~_SRID_FLAG)
        return raw[:1] + plain + raw[9 if srid else 5 :]
    geometry = shapely.from_wkb(raw, on_invalid="ignore")
    if geometry is None:
        msg = "is not hexadecimal WKB"
        raise wkt.WktError(msg)
    found: bytes = shapely.to_wkb(geometry, flavor="iso")
    if len(found) + 4 * srid != len(raw):
        msg = "has bytes behind the geometry"
        raise wkt.WktError(msg)
    return found


def _reason(text: str) -> str:
    try:
        shapely.from_wkt(text)
    except shapely.errors.ShapelyError as exc:
        said = str(exc)
        return next((reason for part, reason in _REASONS.items() if part in said), NOT_READ)
    return NOT_READ
