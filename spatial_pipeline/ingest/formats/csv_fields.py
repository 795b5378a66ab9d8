"""Fields of a buffer of CSV text (RFC 4180), found with array operations.

Quotes count only where they open a field, as in every CSV reader of today; a field that opens with
one must close with one. Line ends are LF, CRLF or CR. Reading blocks, records of a wrong length and
messages belong to ``csv_records``.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

_QUOTE, _LF, _CR = 34, 10, 13
Positions = NDArray[np.int64]
Mask = NDArray[np.bool_]


class QuoteError(ValueError):
    """Quotes that do not pair up.

    Attributes:
        at: offset in the buffer.
        reason: the fault, with the text from that offset on to follow.

    """

    def __init__(self, at: int, reason: str) -> None:
        super().__init__(reason)
        self.at = at
        self.reason = reason


@dataclass(frozen=True)
class Fields:
    """The n fields of the r whole records of a buffer, in their order.

    Attributes:
        starts: (n,) offset of the first byte, the quote included.
        ends: (n,) offset behind the last byte.
        quotes: (n,) quotes in each quoted field, 0 in others; None without quotes in the buffer.
        last: (r,) index of the last field of each record.
        used: bytes of the buffer that the records take.
        lone: offset of the first line end that is a carriage return alone, -1 without one.
        feed: offset of the first line feed that ends a line, -1 without one.

    """

    starts: Positions
    ends: Positions
    quotes: Positions | None
    last: Positions
    used: int
    lone: int
    feed: int


def split(data: NDArray[np.uint8], delimiter: int, final: bool) -> Fields:
    """Finds the fields of all whole records in a buffer that starts with a record.

    Args:
        data: (b,) bytes.
        delimiter: the byte between fields.
        final: whether the buffer ends the text; then it ends with a line end.

    Raises:
        QuoteError: the quotes do not pair up.

    """
    if not final:
        # A line feed may follow a carriage return at the end.
        size = len(data)
        while size and data[size - 1] == _CR:
            size -= 1
        data = data[:size]
    special = data == delimiter
    for byte in (_QUOTE, _LF, _CR):
        special |= data == byte
    at = np.flatnonzero(special)
    quote = data[at] == _QUOTE
    number = None
    if quote.any():
        at, quote, inside = _paired(data, at, quote, final)
        outside = ~(quote | inside)
        number, at = np.cumsum(quote)[outside], at[outside]
    ends, after, kept, lone = _separators(data, at)
    terminal = data[after - 1] != delimiter
    last = np.flatnonzero(terminal)
    count = int(last[-1]) + 1 if len(last) else 0
    return Fields(
        starts=np.concatenate([[0], after[: count - 1]]) if count else ends[:0],
        ends=ends[:count],
        quotes=None if number is None else np.diff(number[kept][:count], prepend=0),
        last=last,
        used=int(after[count - 1]) if count else 0,
        lone=lone,
        feed=_first(after[last] - 1, data[after[last] - 1] == _LF),
    )


def _first(offsets: Positions, wanted: Mask) -> int:
    """The first wanted offset, -1 without one."""
    found = np.flatnonzero(wanted)
    return int(offsets[found[0]]) if len(found) else -1


def _paired(
    data: NDArray[np.uint8], at: Positions, quote: Mask, final: bool
) -> tuple[Positions, Mask, Mask]:
    """The special bytes without quotes that are text, which are quotes, and which are quoted.

    A quote opens or closes by the parity of its number: two quotes within a quoted field close it
    and open it again at the next byte.
    """
    inside = _odd(quote)
    # The byte before an opening quote is a separator, or the closing half of a double quote.
    follows = np.diff(at, prepend=-1) == 1
    if (quote & inside & ~follows).any():
        text = np.zeros(len(at), dtype=bool)
        opens = follows & ~np.append(False, quote[:-1])
        text[np.flatnonzero(quote)[_texts(at[quote], opens[quote])]] = True
        at, quote = at[~text], quote[~text]
        inside = _odd(quote)
        follows = np.diff(at, prepend=-1) == 1
    ends = np.append(follows[1:], at[-1:] + 1 == len(data))
    wrong = np.flatnonzero(quote & ~inside & ~ends)
    if len(wrong):
        raise QuoteError(int(at[wrong[0]]), "text follows the quote that closes a field")
    if final and len(inside) and inside[-1]:
        starts = quote & inside & ~np.append(False, (quote & ~inside)[:-1] & follows[1:])
        raise QuoteError(int(at[np.flatnonzero(starts)[-1]]), "a quoted field is not closed")
    return at, quote, inside & ~quote


def _odd(quote: Mask) -> Mask:
    """Whether the number of quotes up to each byte, itself included, is odd."""
    return np.bitwise_xor.accumulate(quote)


def _texts(at: Positions, opens: Mask) -> list[int]:
    """Indices of quotes inside of unquoted fields, which stand for themselves.

    Args:
        at: (q,) offsets of all quotes.
        opens: (q,) whether the byte before each is a separator, or none.

    """
    found = []
    inside = False
    offsets, opening = at.tolist(), opens.tolist()
    i = 0
    while i < len(offsets):
        if inside and offsets[i + 1 : i + 2] == [offsets[i] + 1]:
            i += 1
        elif inside:
            inside = False
        elif opening[i]:
            inside = True
        else:
            found.append(i)
        i += 1
    return found


def _separators(
    data: NDArray[np.uint8], at: Positions
) -> tuple[Positions, Positions, Positions | slice, int]:
    """Ends of fields, offsets behind their separators, which of ``at`` these are, and lone CRs."""
    returns = np.flatnonzero(data[at] == _CR)
    if not len(returns):
        return at, at + 1, slice(None), -1
    offsets = at[returns]
    first = np.flatnonzero(np.diff(offsets, prepend=-2) != 1)
    last = np.append(first[1:], len(offsets)) - 1
    behind = offsets[last] + 1
    fed = (behind < len(data)) & (data[np.minimum(behind, len(data) - 1)] == _LF)
    # A run of carriage returns and the line feed behind it are one line end.
    ends = at.copy()
    ends[returns[last[fed]] + 1] = offsets[first[fed]]
    part = np.repeat(fed, last - first + 1)
    kept = np.ones(len(at), dtype=bool)
    kept[returns[part]] = False
    return ends[kept], at[kept] + 1, np.flatnonzero(kept), _first(offsets, ~part)
