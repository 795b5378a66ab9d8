"""Numbers and places as text for people, without loss."""

from __future__ import annotations

import math


def number(value: float | None) -> str:
    """A number with all its digits; thousands are grouped, empty for None."""
    if value is None:
        return ""
    if float(value).is_integer() and abs(value) < 1e15:
        return f"{int(value):,}".replace(",", "\N{THIN SPACE}")
    return repr(float(value))


def exact(value: float) -> str:
    """The shortest text that reads back as the same number; empty when it is not finite."""
    value = float(value)
    if not math.isfinite(value):
        return ""
    return str(int(value)) if value.is_integer() and abs(value) < 1e15 else repr(value)
