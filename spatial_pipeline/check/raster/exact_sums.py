"""Sums of many floating point numbers without rounding, so that no partitioning changes them."""

from __future__ import annotations

import math
from dataclasses import dataclass
from fractions import Fraction
from typing import Any, Self

import numpy as np
from numpy.typing import NDArray

_DIGITS = 53
_HALF = 26
_EXPONENTS = 4096
_SPLIT = float((1 << 27) + 1)
"""Dekker's constant: splits a 53-bit mantissa in two."""
_LARGEST = 1e150
"""Beyond it the square of a number is no longer one."""


@dataclass(frozen=True)
class Moments:
    """Exact count, sum and sum of squares.

    Attributes:
        count: of the numbers.
        total: their sum.
        squares: sum of their squares.

    """

    count: int = 0
    total: Fraction = Fraction(0)
    squares: Fraction = Fraction(0)

    @classmethod
    def of(cls, values: NDArray[Any]) -> Self:
        """The moments of finite numbers, as float64.

        Raises:
            OverflowError: a number is too large to be squared.

        """
        numbers = values.astype(np.float64, copy=False).ravel()
        if not len(numbers):
            return cls()
        if np.abs(numbers).max() > _LARGEST:
            msg = f"a number is larger than {_LARGEST:g}"
            raise OverflowError(msg)
        # The product and its rounding error (Dekker 1971, "A floating-point technique for
        # extending the available precision").
        square = numbers * numbers
        high = numbers * _SPLIT
        high = high - (high - numbers)
        low = numbers - high
        error = ((high * high - square) + 2 * high * low) + low * low
        return cls(len(numbers), exact_sum(numbers), exact_sum(square) + exact_sum(error))

    def __add__(self, other: Moments) -> Moments:
        """The moments of both sets of numbers."""
        return Moments(
            self.count + other.count, self.total + other.total, self.squares + other.squares
        )

    @property
    def mean(self) -> float:
        """The mean, rounded once."""
        return float(self.total / self.count)

    @property
    def deviation(self) -> float:
        """The standard deviation of the population."""
        mean = self.total / self.count
        return math.sqrt(self.squares / self.count - mean * mean)


def exact_sum(numbers: NDArray[np.float64]) -> Fraction:
    """The sum of at most 2²⁶ finite numbers, without rounding.

    Mantissas are summed as whole numbers, in two halves for each exponent; each such sum is exact.
    """
    if not len(numbers):
        return Fraction(0)
    mantissa, exponent = np.frexp(numbers)
    whole = np.ldexp(mantissa, _DIGITS).astype(np.int64)
    least = int(exponent.min())
    place = exponent - least
    highs = np.bincount(place, weights=(whole >> _HALF).astype(np.float64))
    lows = np.bincount(place, weights=(whole & ((1 << _HALF) - 1)).astype(np.float64))
    total = 0
    for shift in np.flatnonzero((highs != 0) | (lows != 0)).tolist():
        total += ((int(highs[shift]) << _HALF) + int(lows[shift])) << shift
    scale = least - _DIGITS
    return Fraction(total * (1 << scale)) if scale >= 0 else Fraction(total, 1 << -scale)


def exact_sums(numbers: NDArray[np.float64], group: NDArray[np.int64]) -> NDArray[np.object_]:
    """(k,) sums of finite numbers by group, as fractions, without rounding.

    Args:
        numbers: (n,) at most 2²⁶ numbers.
        group: (n,) group of each, 0 … k-1.

    """
    sums = np.full(int(group.max(initial=-1)) + 1, Fraction(0), dtype=object)
    if not len(numbers):
        return sums
    mantissa, exponent = np.frexp(numbers)
    whole = np.ldexp(mantissa, _DIGITS).astype(np.int64)
    # One number for group and exponent, which lies between -1073 and 1024.
    pairs, place = np.unique(group * _EXPONENTS + exponent + _EXPONENTS // 2, return_inverse=True)
    place = place.ravel()
    highs = np.bincount(place, weights=(whole >> _HALF).astype(np.float64))
    lows = np.bincount(place, weights=(whole & ((1 << _HALF) - 1)).astype(np.float64))
    indices, powers = np.divmod(pairs, _EXPONENTS)
    powers -= _EXPONENTS // 2
    for index, power, high, low in zip(
        indices.tolist(), powers.tolist(), highs.tolist(), lows.tolist(), strict=True
    ):
        sums[index] += Fraction((int(high) << _HALF) + int(low)) * Fraction(2) ** (power - _DIGITS)
    return sums
