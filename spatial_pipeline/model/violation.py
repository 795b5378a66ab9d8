"""One located violation, as results and messages carry it; imports no array library."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any


@dataclass(frozen=True)
class Violation:
    """One located defect, ready for JSON.

    Attributes:
        keys: key tuples of the features involved, or their 0-based source rows.
        reason: kind of defect.
        location: a point of the defect (x, y) in the CRS of the dataset, None when it has none.
        measure: size of the defect, None when it has none.
        unit: unit of ``measure``.

    """

    keys: tuple[tuple[Any, ...], ...]
    reason: str
    location: tuple[float, float] | None = None
    measure: float | None = None
    unit: str = ""
