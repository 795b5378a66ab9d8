"""Exact sums of numbers, so that a mean does not depend on the order of addition."""

from __future__ import annotations

from fractions import Fraction
from typing import Any

import numpy as np
from numpy.typing import NDArray

LOW = 27
"""Bits of a mantissa that are summed apart, so that 64 bits hold the sums of a batch."""
SCALE = 1126
"""A sum is a whole number of 2^-1126: the mantissa of the least number is a whole one."""


def exact_sum(values: NDArray[Any]) -> int:
    """The sum of finite floats or of integers, in units of 2^-1126.

    Args:
        values: (n,) float64, or integers of any size; n is below 2^36.

    """
    if values.dtype.kind in "iu":
        high, low = values >> LOW, values & ((1 << LOW) - 1)
        total = (int(high.sum(dtype=values.dtype)) << LOW) + int(low.sum())
        return total << SCALE
    mantissa, exponent = np.frexp(values.astype(np.float64))
    whole = (mantissa * 2.0**53).astype(np.int64)
    high, low = whole >> LOW, whole & ((1 << LOW) - 1)
    found, which = np.unique(exponent, return_inverse=True)
    sums = []
    for part in (high, low):
        by_exponent = np.zeros(len(found), dtype=np.int64)
        np.add.at(by_exponent, which, part)
        sums.append(by_exponent.tolist())
    return sum(
        ((high_ << LOW) + low_) << (e - 53 + SCALE)
        for e, high_, low_ in zip(found.tolist(), *sums, strict=True)
    )


def as_float(total: int, parts: int = 1) -> float:
    """A sum, divided by a number of parts, rounded once; infinity beyond the largest float."""
    try:
        return float(Fraction(total, parts << SCALE))
    except OverflowError:
        return float("inf") if total > 0 else float("-inf")


__all__ = ["as_float", "exact_sum"]
