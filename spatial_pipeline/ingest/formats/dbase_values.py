"""Cells of a dBase table as Arrow arrays: whole columns of bytes, without a loop over rows.

A function returns values and what cannot be one; blanks, the stars that writers put for null and
NUL padding are null.
"""

from __future__ import annotations

import contextlib
from dataclasses import dataclass
from functools import lru_cache

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
from numpy.typing import NDArray

from spatial_pipeline.ingest.formats.csv_text import undecodable
from spatial_pipeline.ingest.formats.csv_types import SURE_DIGITS, exact

Cells = NDArray[np.uint8]
"""(n, width) bytes of one field."""
_BLANKS = " \0"
_WHOLE = r"^[+-]?[0-9]+(\.0*)?$"
_NUMBER = r"^[+-]?([0-9]+\.?[0-9]*|\.[0-9]+)([eE][+-]?[0-9]+)?$"
_DIGITS = 38
"""Digits of Arrow's decimal numbers."""


@dataclass(frozen=True)
class FieldValues:
    """One column of some rows.

    Attributes:
        array: (n,) values, null where a cell is blank or wrong.
        wrong: reason → rows whose cell is no value.

    """

    array: pa.Array
    wrong: dict[str, NDArray[np.int64]]


def texts_of(cells: Cells) -> pa.Array:
    """(n,) texts of cells of ASCII without padding, null where blank; other bytes become ``!``."""
    joined = np.where(cells > 127, ord("!"), cells).astype(np.uint8).tobytes()
    offsets = np.arange(0, cells.size + 1, cells.shape[1], dtype=np.int32)
    whole = pa.Array.from_buffers(
        pa.string(), len(cells), [None, pa.py_buffer(offsets), pa.py_buffer(joined)]
    )
    texts = pc.ascii_trim(whole, _BLANKS)
    stars = "*" * cells.shape[1]
    return pc.if_else(pc.is_in(texts, pa.array(["", stars])), pa.scalar(None, pa.string()), texts)


def whole_numbers(cells: Cells) -> tuple[pa.Array, FieldValues]:
    """Whole numbers of up to 64 bits.

    Returns:
        The texts of all whole numbers, without sign and point where they say nothing, and the
        values; ``array`` is text where one of them has more than 64 bits.

    """
    texts = texts_of(cells)
    if _plain(cells, b""):
        with contextlib.suppress(pa.ArrowInvalid):
            return texts, FieldValues(texts.cast(pa.int64()), {})
    wrong = _unlike(texts, _WHOLE)
    if len(wrong) or pc.any(pc.match_substring_regex(texts, r"[+.]")).as_py():
        texts = _without(texts, wrong)
        texts = pc.replace_substring_regex(texts, r"^\+|\.0*$", "")
    try:
        array = texts.cast(pa.int64())
    except pa.ArrowInvalid:
        array = texts
    return texts, FieldValues(array, {"is not a whole number": wrong})


def reals(cells: Cells, decimals: int) -> tuple[pa.Array, FieldValues, bool]:
    """Decimal numbers as doubles.

    Args:
        cells: the bytes.
        decimals: digits behind the point that the header declares.

    Returns:
        The texts of all numbers, the values, and whether each text is what its value, rounded to
        as many digits, is written as.

    """
    texts = texts_of(cells)
    array, wrong = None, np.empty(0, np.int64)
    if _plain(cells, b"."):
        with contextlib.suppress(pa.ArrowInvalid):
            array = texts.cast(pa.float64())
    if array is None:
        wrong = _unlike(texts, _NUMBER)
        if len(wrong) or pc.any(pc.match_substring(texts, "+")).as_py():
            texts = pc.utf8_ltrim(_without(texts, wrong), "+")
        array = texts.cast(pa.float64())
    large = np.flatnonzero(np.asarray(pc.fill_null(pc.is_inf(array), False)))
    if len(large):
        texts, array = _without(texts, large), _without(array, large)
    found = FieldValues(array, {"is not a number": wrong, "is too large for a number": large})
    return texts, found, _holds(texts, array, decimals)


def _plain(cells: Cells, more: bytes) -> bool:
    """Whether cells hold digits, minus, stars and padding only, or ``more``.

    What Arrow reads of such texts as a number is one: its other spellings have other letters.
    """
    known = np.zeros(256, dtype=bool)
    known[np.frombuffer(b"0123456789-* \0" + more, np.uint8)] = True
    return bool(known[cells].all())


def days(cells: Cells) -> FieldValues:
    """Days of eight digits; zeros are null."""
    count, width = cells.shape
    blank = np.isin(cells, [0, 32, 48]).all(axis=1)
    if width != 8:
        return FieldValues(pa.nulls(count, pa.date32()), {"is not a date": np.flatnonzero(~blank)})
    digits = cells.astype(np.int64) - ord("0")
    year = digits[:, :4] @ [1000, 100, 10, 1]
    month = digits[:, 4:6] @ [10, 1]
    day = digits[:, 6:] @ [10, 1]
    good = ((digits >= 0) & (digits <= 9)).all(axis=1)
    good &= (year >= 1) & (month >= 1) & (month <= 12) & (day >= 1)
    months = np.where(good, (year - 1970) * 12 + month - 1, 0).astype("datetime64[M]")
    first = months.astype("datetime64[D]").astype(np.int64)
    length = (months + 1).astype("datetime64[D]").astype(np.int64) - first
    good &= day <= length
    array = pa.array((first + day - 1).astype(np.int32), mask=~good).cast(pa.date32())
    return FieldValues(array, {"is not a date": np.flatnonzero(~good & ~blank)})


def truths(cells: Cells) -> FieldValues:
    """Truth values; a question mark is null."""
    texts = pc.utf8_upper(texts_of(cells))
    true = pc.is_in(texts, pa.array(["T", "Y"]))
    known = pc.or_(true, pc.is_in(texts, pa.array(["F", "N"])))
    none = pc.fill_null(pc.equal(texts, "?"), True)
    wrong = pc.invert(pc.or_(known, none))
    array = pc.if_else(known, true, pa.scalar(None, pa.bool_()))
    return FieldValues(array, {"is not a truth value": np.flatnonzero(np.asarray(wrong))})


def memos(cells: Cells) -> FieldValues:
    """Texts in a memo file, which is not read: null where there is none."""
    blank = np.isin(cells, [0, 32, 48]).all(axis=1)
    rows = np.flatnonzero(~blank)
    return FieldValues(
        pa.nulls(len(cells), pa.string()), {"is kept in a memo file, which is not read": rows}
    )


def strings(cells: Cells, codec: str, blame: str) -> tuple[FieldValues, bool]:
    """Texts without the padding behind them.

    Args:
        cells: the bytes.
        codec: Python's name of an encoding that extends ASCII.
        blame: message about bytes that do not decode, after its name.

    Returns:
        The values, and whether there are other characters than ASCII.

    """
    width = cells.shape[1]
    there = (cells != 0) & (cells != ord(" "))
    sizes = np.where(there.any(axis=1), width - np.argmax(there[:, ::-1], axis=1), 0)
    nul = np.where((cells == 0).any(axis=1), np.argmax(cells == 0, axis=1), width) < sizes
    sizes[nul] = 0
    data = cells[np.arange(width) < sizes[:, None]]
    null = sizes == 0
    raw = _strung(data, sizes, null)
    wrong = {"holds NUL with text behind it": np.flatnonzero(nul)}
    if not len(data) or data.max() < 128:
        return FieldValues(raw.cast(pa.string()), wrong), False
    array, bad = _decoded(raw, data, sizes, codec)
    if len(bad):
        wrong[f"has bytes that are not {codec.upper()}{blame}"] = bad
    return FieldValues(array, wrong), True


def _strung(data: Cells, sizes: NDArray[np.int64], null: NDArray[np.bool_]) -> pa.Array:
    """(n,) binary from all bytes of the rows one after the other."""
    offsets = np.concatenate([[0], np.cumsum(sizes)]).astype(np.int32)
    valid = np.packbits(~null, bitorder="little").tobytes()
    buffers = [pa.py_buffer(valid), pa.py_buffer(offsets), pa.py_buffer(data.tobytes())]
    return pa.Array.from_buffers(pa.binary(), len(sizes), buffers)


def _decoded(
    raw: pa.Array, data: Cells, sizes: NDArray[np.int64], codec: str
) -> tuple[pa.Array, NDArray[np.int64]]:
    """Texts, null where the bytes do not fit, and those rows."""
    if codec == "utf-8":
        bad = undecodable(raw)
        return _without(raw, bad).cast(pa.string()), bad
    table = _single_bytes(codec)
    if table is None:
        values = raw.to_pylist()
        known: dict[bytes, str | None] = {v: _text(v, codec) for v in set(values) if v}
        texts = [None if v is None else known[v] for v in values]
        bad = np.flatnonzero([v is not None and known[v] is None for v in values])
        return pa.array(texts, pa.string()), bad
    lengths, alphabet = table
    starts = np.concatenate([[0], np.cumsum(lengths[data])])
    ends = np.concatenate([[0], np.cumsum(sizes)])
    wrong = np.concatenate([[0], np.cumsum(lengths[data] == 0)])[ends]
    joined = b"".join(map(alphabet.__getitem__, data.tobytes()))
    whole = _strung(
        np.frombuffer(joined, np.uint8), np.diff(starts[ends]), ~np.asarray(raw.is_valid())
    )
    bad = np.flatnonzero(np.diff(wrong))
    return _without(whole, bad).cast(pa.string()), bad


@lru_cache(maxsize=8)
def _single_bytes(codec: str) -> tuple[NDArray[np.int64], tuple[bytes, ...]] | None:
    """Bytes of UTF-8 of each byte and their number, 0 where it is no character.

    None for an encoding in which characters have several bytes.
    """
    alphabet = [(_text(bytes([b]), codec) or "").encode() for b in range(256)]
    alone = [b for b in range(256) if not alphabet[b]]
    if any(_text(bytes([b, other]), codec) for b in alone for other in range(256)):
        return None
    return np.array([len(a) for a in alphabet]), tuple(alphabet)


def _text(value: bytes, codec: str) -> str | None:
    try:
        return value.decode(codec)
    except UnicodeDecodeError:
        return None


def _unlike(texts: pa.Array, form: str) -> NDArray[np.int64]:
    """Rows of texts that do not have a form."""
    good = pc.fill_null(pc.match_substring_regex(texts, form), True)
    return np.flatnonzero(~np.asarray(good))


def _without(array: pa.Array, rows: NDArray[np.int64]) -> pa.Array:
    """An array with null in some rows."""
    if not len(rows):
        return array
    mask = np.zeros(len(array), dtype=bool)
    mask[rows] = True
    return pc.if_else(pa.array(mask), pa.scalar(None, array.type), array)


def _holds(texts: pa.Array, values: pa.Array, decimals: int) -> bool:
    """Whether each text is its value, rounded to the digits that the text has.

    Arrow's decimal numbers tell at once for texts with the declared digits; the rest is compared
    with numbers of any precision.
    """
    long = pc.greater(pc.binary_length(texts), SURE_DIGITS)
    texts, values = texts.filter(long), values.filter(long)
    if len(texts) and decimals < _DIGITS:
        kind = pa.decimal128(_DIGITS, decimals)
        try:
            unsure = pc.not_equal(texts.cast(kind), values.cast(kind))
        except pa.ArrowInvalid:
            unsure = pc.is_valid(texts)
        texts, values = texts.filter(unsure), values.filter(unsure)
    return exact(texts, values)
