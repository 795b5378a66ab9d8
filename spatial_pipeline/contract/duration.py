"""Durations as contracts write them."""

from __future__ import annotations

import re
from datetime import timedelta
from typing import Annotated, Any

from pydantic import BeforeValidator, WithJsonSchema

from spatial_pipeline.contract.spelling import shown

UNITS = {"s": 1, "m": 60, "h": 3600, "d": 86400, "w": 604800}
"""Letters behind a number, in seconds."""
_DURATION = re.compile(r"(\d+)\s*([smhdw])")
LONGEST = timedelta(days=3660)


def _duration(value: Any) -> Any:
    if isinstance(value, timedelta):
        return value
    match = _DURATION.fullmatch(value.strip()) if isinstance(value, str) else None
    if match is None:
        msg = f"expected a duration such as 90s, 5m, 26h or 7d, got {shown(value)}"
        raise ValueError(msg)
    seconds = int(match[1]) * UNITS[match[2]]
    if not 1 <= seconds <= LONGEST.total_seconds():
        msg = f"expected a duration of 1s to {LONGEST.days}d, got {shown(value)}"
        raise ValueError(msg)
    return timedelta(seconds=seconds)


def duration_of(text: str) -> timedelta:
    """A duration as contracts write it: 90s, 5m, 26h, 7d, 2w.

    Raises:
        ValueError: it is none.

    """
    found: timedelta = _duration(text)
    return found


Duration = Annotated[
    timedelta,
    BeforeValidator(_duration),
    WithJsonSchema({"type": "string", "pattern": r"^\s*\d+\s*[smhdw]\s*$"}),
]
"""A number and a unit: 90s, 5m, 26h, 7d, 2w."""

__all__ = ["Duration"]
