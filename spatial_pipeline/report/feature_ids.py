"""Numbers of features as their source has them."""

from __future__ import annotations

import numpy as np
import pyarrow as pa
from numpy.typing import NDArray

from spatial_pipeline.model.profile import Profile, VectorProfile


def feature_ids(profile: Profile | None, rows: NDArray[np.int64]) -> pa.Array:
    """The fid of a GeoPackage, the OBJECTID of a file geodatabase, else the row from 0.

    Args:
        profile: profile of the source.
        rows: (n,) source rows, negative for none.

    Returns:
        n int64, null for none.

    """
    rows = np.asarray(rows, dtype=np.int64)
    runs = profile.feature_ids if isinstance(profile, VectorProfile) else None
    numbers = rows
    if runs:
        starts, firsts = np.array(runs, dtype=np.int64).T
        run = np.maximum(np.searchsorted(starts, rows, side="right") - 1, 0)
        numbers = firsts[run] + rows - starts[run]
    return pa.array(numbers, pa.int64(), mask=rows < 0)
