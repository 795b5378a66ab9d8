"""Smallest and largest numbers of rows, columns and blocks of pixels."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from spatial_pipeline.errors import RuleError


def numbers(values: NDArray[Any], valid: NDArray[np.bool_]) -> NDArray[np.bool_]:
    """Valid pixels that are numbers: not NaN.

    Raises:
        RuleError: the pixels are complex numbers, which have no order.

    """
    if values.dtype.kind == "c":
        msg = "needs ordered values: complex pixels have no range"
        raise RuleError(msg)
    return valid & ~np.isnan(values) if values.dtype.kind == "f" else valid


def ranges(values: NDArray[Any], there: NDArray[np.bool_]) -> tuple[NDArray[Any], NDArray[Any]]:
    """Values to take minima of, and maxima: pixels that are not there never win."""
    if values.dtype.kind == "f":
        least, most = values.dtype.type(-np.inf), values.dtype.type(np.inf)
    else:
        limits = np.iinfo(values.dtype)
        least, most = values.dtype.type(limits.min), values.dtype.type(limits.max)
    return np.where(there, values, most), np.where(there, values, least)
