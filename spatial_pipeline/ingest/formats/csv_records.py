"""Records of a CSV text, block by block, as columns of bytes.

Blank lines are no records. A record with more or fewer fields than the header is kept as a row of
nulls and listed; empty fields behind the last one are left out. Fields within a buffer belong to
``csv_fields``, encodings to ``csv_text``, types to ``csv_types``.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
from numpy.typing import NDArray

from spatial_pipeline.errors import SourceError
from spatial_pipeline.ingest.formats.csv_fields import Fields, Mask, Positions, QuoteError, split
from spatial_pipeline.ingest.formats.csv_text import CsvText, shown

BLOCK = 4 << 20
"""Bytes that are read at once."""
MAX_RECORD = 128 << 20
"""Bytes of the longest record; a quote that is never closed is found at the latest here."""
SNIPPET = 60
"""Bytes of a text that an error shows."""


@dataclass(frozen=True)
class Ragged:
    """A record whose number of fields is not that of the header.

    Attributes:
        row: 0-based row.
        fields: number of its fields.
        text: its start.

    """

    row: int
    fields: int
    text: str


@dataclass(frozen=True)
class Block:
    """n records of k fields.

    Attributes:
        first: row number of the first record.
        data: the bytes that the offsets are of.
        starts: (n, k) offset of the first byte of each field, without its quote.
        ends: (n, k) offset behind its last byte.
        quotes: (n, k) quotes in each quoted field, 0 in others; None without quotes.
        ragged: records of another length; their fields are empty.
        surplus: records with additional empty fields at their end.

    """

    first: int
    data: bytes
    starts: Positions
    ends: Positions
    quotes: Positions | None
    ragged: tuple[Ragged, ...] = ()
    surplus: int = 0

    def __len__(self) -> int:
        return len(self.starts)

    def values(self, column: int) -> pa.Array:
        """(n,) binary: the fields of a column without quotes; empty where there is nothing."""
        n = len(self)
        if not n:
            return pa.array([], pa.binary())
        # Fields and the bytes between them are one array over the buffer; every second is a field.
        offsets = np.empty(2 * n, dtype=np.int32)
        offsets[0::2], offsets[1::2] = self.starts[:, column], self.ends[:, column]
        buffers = [None, pa.py_buffer(offsets), pa.py_buffer(self.data)]
        both = pa.Array.from_buffers(pa.binary(), 2 * n - 1, buffers)
        found = both.take(pa.array(np.arange(0, 2 * n, 2)))
        if self.quotes is not None:
            doubled = self.quotes[:, column] > 2
            if doubled.any():
                single = pc.replace_substring(found.filter(pa.array(doubled)), '""', '"')
                found = pc.replace_with_mask(found, pa.array(doubled), single)
        return found

    def empty(self, column: int) -> Mask:
        """(n,) whether the field of a column is empty, quoted or not."""
        found: Mask = self.starts[:, column] == self.ends[:, column]
        return found

    def quoted(self, column: int) -> Mask:
        """(n,) whether the field of a column is quoted."""
        if self.quotes is None:
            return np.zeros(len(self), dtype=bool)
        found: Mask = self.quotes[:, column] > 0
        return found

    def first_bytes(self, column: int) -> set[int]:
        """Values of the first bytes of the fields of a column."""
        starts = self.starts[:, column][~self.empty(column)]
        return set(np.unique(np.frombuffer(self.data, np.uint8)[starts]).tolist())


class Records:
    """The records of a text, once.

    Args:
        text: the text, at its start.
        delimiter: the byte between fields.

    Attributes:
        lines: line ends in front of the block that is read.

    """

    def __init__(self, text: CsvText, delimiter: int) -> None:
        self.lines = 0
        self._text = text
        self._delimiter = delimiter
        self._feeds = False
        self._lone = 0
        self._unterminated = False

    def header(self) -> tuple[list[bytes], list[bool]]:
        """The fields of the first record, and whether each is quoted; none in an empty text.

        Raises:
            SourceError: the text is damaged in front of its end.

        """
        for data, fields in self._buffers(0):
            for record in range(len(fields.last)):
                begin = int(fields.last[record - 1]) + 1 if record else 0
                end = int(fields.last[record]) + 1
                if end - begin == 1 and fields.starts[begin] == fields.ends[begin]:
                    continue
                one = _block(0, data, fields, np.arange(begin, end)[np.newaxis])
                names = [one.values(i)[0].as_py() for i in range(end - begin)]
                return names, [bool(one.quoted(i)[0]) for i in range(end - begin)]
        return [], []

    def blocks(self, columns: int, skip: int) -> Iterator[Block]:
        """The records behind the first ``skip`` ones.

        Args:
            columns: number of fields of a record.
            skip: records in front, the header.

        Raises:
            SourceError: quotes do not pair up, a record is too long, line ends are mixed, or the
                last record was cut.

        """
        row = -skip
        for data, fields in self._buffers(skip):
            block = self._table(row, data, fields, columns)
            if row < 0:
                gone = min(-row, len(block))
                block = _behind(block, gone)
                row += gone
            row += len(block)
            if len(block):
                yield block

    def _buffers(self, skip: int) -> Iterator[tuple[bytes, Fields]]:
        """Buffers of whole records and their fields."""
        rest, final, row = b"", False, -skip
        needed = b""
        while not final:
            data, final = self._read(rest, needed)
            if final and data:
                self._unterminated = not data.endswith((b"\n", b"\r"))
                data += b"\n" * self._unterminated
            array = np.frombuffer(data, np.uint8)
            try:
                fields = split(array, self._delimiter, final)
            except QuoteError as exc:
                raise SourceError(self._broken(array, exc)) from exc
            added = len(data) - 1 if self._unterminated else -1
            self._feeds |= fields.feed >= 0 and fields.feed != added
            if fields.lone >= 0 and not self._lone:
                self._lone = self.lines + _lines(array[: fields.lone]) + 1
            if self._feeds and self._lone:
                msg = (
                    "line ends are mixed: a carriage return without a line feed in or behind "
                    f"line {self._lone}"
                )
                raise SourceError(msg)
            if len(fields.last):
                row += int(np.count_nonzero(~_blank(fields)))
                yield data, fields
                self.lines += _lines(array[: fields.used])
            rest = data[fields.used :]
            needed = b'"' if fields.inside else b""

    def _read(self, rest: bytes, needed: bytes) -> tuple[bytes, bool]:
        """More of the text behind the start of a record, and whether the text ends.

        Args:
            rest: the start of the record.
            needed: bytes without which more of the text ends no record.

        """
        pieces, size = [rest], len(rest)
        while piece := self._text.read(max(BLOCK, len(rest))):
            if size > MAX_RECORD:
                msg = (
                    f"the record in line {self.lines + 1} is longer than {MAX_RECORD >> 20} MiB: "
                    "a quote in it may not be closed"
                )
                raise SourceError(msg)
            pieces.append(piece)
            size += len(piece)
            if needed in piece:
                return b"".join(pieces), False
        # Without a closing quote, the start of the record is enough to tell what is wrong.
        return rest, True

    def _table(self, row: int, data: bytes, fields: Fields, columns: int) -> Block:
        """The records of a buffer as rows of the same number of fields."""
        counts = np.diff(fields.last, prepend=-1)
        if self._unterminated and counts[-1] < columns and not (_blank(fields)[-1]):
            msg = f"the last record has {counts[-1]} of {columns} fields, the text was cut"
            raise SourceError(msg)
        if columns > 1 and (counts == columns).all():
            chosen = np.arange(len(fields.starts)).reshape(-1, columns)
            return _block(row, data, fields, chosen)
        kept = ~_blank(fields)
        begins = (fields.last - counts + 1)[kept]
        counts, last = counts[kept], fields.last[kept]
        widths = np.cumsum(fields.ends - fields.starts)
        beyond = np.minimum(begins + columns - 1, last)
        surplus = (counts > columns) & (widths[last] == widths[beyond])
        ragged = (counts != columns) & ~surplus
        chosen = np.minimum(begins[:, np.newaxis] + np.arange(columns), last[:, np.newaxis])
        chosen[ragged] = begins[ragged][:, np.newaxis]
        block = _block(row, data, fields, chosen)
        block.ends[ragged] = block.starts[ragged]
        found = []
        for i in np.flatnonzero(ragged).tolist():
            begin, end = int(fields.starts[begins[i]]), int(fields.ends[last[i]])
            found.append(Ragged(row + i, int(counts[i]), _snippet(data[begin:end])))
        return Block(
            row, data, block.starts, block.ends, block.quotes, tuple(found), int(surplus.sum())
        )

    def _broken(self, data: NDArray[np.uint8], exc: QuoteError) -> str:
        """The fault of the quotes, with its line."""
        line = self.lines + _lines(data[: exc.at]) + 1
        text = _snippet(data[exc.at : exc.at + 2 * SNIPPET].tobytes())
        return f"{exc.reason} (RFC 4180), line {line}: {text!r}"


def _block(row: int, data: bytes, fields: Fields, chosen: Positions) -> Block:
    """The rows of a buffer, given the (n, k) indices of their fields."""
    starts, ends = fields.starts[chosen], fields.ends[chosen]
    quotes = None
    if fields.quotes is not None:
        quotes = fields.quotes[chosen]
        quoted = quotes > 0
        starts += quoted
        ends -= quoted
    return Block(row, data, starts, ends, quotes)


def _behind(block: Block, gone: int) -> Block:
    """A block without its first rows."""
    return Block(
        block.first + gone,
        block.data,
        block.starts[gone:],
        block.ends[gone:],
        None if block.quotes is None else block.quotes[gone:],
        tuple(r for r in block.ragged if r.row >= block.first + gone),
        block.surplus,
    )


def _blank(fields: Fields) -> Mask:
    """(r,) whether each record is an empty line."""
    single = np.diff(fields.last, prepend=-1) == 1
    found: Mask = single & (fields.starts[fields.last] == fields.ends[fields.last])
    return found


def _lines(data: NDArray[np.uint8]) -> int:
    feeds = int(np.count_nonzero(data == 10))
    return feeds or int(np.count_nonzero(data == 13))


def _snippet(data: bytes) -> str:
    return shown(data[:SNIPPET]) + ("…" if len(data) > SNIPPET else "")
