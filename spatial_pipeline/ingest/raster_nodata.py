"""The nodata value of every band, exactly as the file declares it.

GDAL reads a declared value as a number of the band's type or as a 64-bit float, whatever was
written: ``-1`` of uint64 becomes 18446744073709551615, ``1.5`` of uint8 marks the pixels that are
1, ``abc`` is 0. What was written counts here; a value that no pixel can have marks none.
"""

from __future__ import annotations

import math
import re
from collections.abc import Sequence
from dataclasses import dataclass
from decimal import Decimal
from typing import Any

from spatial_pipeline.errors import SourceError
from spatial_pipeline.ingest.integrity.raster_texts import number
from spatial_pipeline.model.profile import can_hold

Value = int | float
DIGITS = 40
"""Longest whole number that is kept as an int; no type of pixel has half of it."""


@dataclass(frozen=True)
class BandNodata:
    """The nodata value of one band.

    Attributes:
        declared: value in the file; None without one. Integral values of integer bands
            are ints, exact up to 64 bits.
        possible: False when no pixel of the band's type can have it.
        misread: True when GDAL would mark pixels by another value.

    """

    declared: Value | None = None
    possible: bool = True
    misread: bool = False

    @property
    def carried(self) -> Value | None:
        """The value that the staged file declares."""
        return None if self.misread and not self.possible else self.declared


def of_bands(
    dataset: Any, texts: Sequence[str | None], read: Sequence[str | None]
) -> tuple[BandNodata, ...]:
    """Nodata of every band.

    Args:
        dataset: opened with rasterio.
        texts: nodata text of each band in the file, None for bands without one.
        read: the values as GDAL read them, with all digits; see ``raster_vrt``.

    Raises:
        SourceError: a text is no number.

    """
    marks = [any(f.name == "nodata" for f in flags) for flags in dataset.mask_flag_enums]
    return tuple(
        _of_band(band, dtype, text, value, marked)
        for band, (dtype, text, value, marked) in enumerate(
            zip(dataset.dtypes, texts, read, marks, strict=True), 1
        )
    )


def _of_band(band: int, dtype: str, text: str | None, read: str | None, marked: bool) -> BandNodata:
    if text is not None and not text.strip():
        # GDAL reads 0 from blanks.
        return BandNodata(misread=read is not None)
    text = read if text is None else text
    if text is None:
        return BandNodata()
    exact, understood = number(text), None if read is None else number(read)
    if exact is None:
        msg = f"band {band}: nodata {text.strip()[:60]!r} is not a number"
        raise SourceError(msg)
    if re.fullmatch(r"u?int\d+", dtype) is None:
        # GDAL reads floats as the band's type has them.
        return BandNodata(float(exact if understood is None else understood), misread=read is None)
    declared = _plain(exact)
    possible = can_hold(dtype, declared)
    same = understood is not None and equal(_plain(understood), declared)
    return BandNodata(declared, possible, misread=not same or (marked and not possible))


def _plain(value: Decimal) -> Value:
    if not value.is_finite() or value.adjusted() > DIGITS or value != value.to_integral_value():
        return float(value)
    return int(value)


def exact(text: str) -> Value | None:
    """The number that a text says, an int where it is one; None when it is no number."""
    value = number(text)
    return None if value is None else _plain(value)


def equal(one: Value | None, other: Value | None) -> bool:
    """Whether two nodata values are the same; NaN equals NaN."""
    if one is None or other is None:
        return one is other
    return one == other or (one != one and other != other)


def note(nodata: Sequence[BandNodata], dtypes: Sequence[str]) -> list[str]:
    """Notes on nodata values that cannot occur, one for all bands that share it."""
    found: dict[str, list[int]] = {}
    for band, (each, dtype) in enumerate(zip(nodata, dtypes, strict=True), 1):
        if each.declared is not None and not each.possible:
            text = (
                f"nodata {shown(each.declared)} cannot occur in {dtype}: no pixel is without data"
            )
            text += ", and it is not carried over" if each.carried is None else ""
            found.setdefault(text, []).append(band)
    every = len(dtypes)
    return [
        text if len(bands) == every else f"band {', '.join(map(str, bands[:20]))}: {text}"
        for text, bands in found.items()
    ]


def shown(value: Value) -> str:
    """A nodata value with all its digits, whole numbers without a point."""
    if isinstance(value, int) or not math.isfinite(value) or not value.is_integer():
        return str(value)
    return str(int(value)) if abs(value) < 1e15 else repr(value)
