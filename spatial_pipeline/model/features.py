"""Batches and tiles of features: Arrow columns with geometries that are decoded once."""

from __future__ import annotations

import contextlib
import dataclasses
import itertools
import threading
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, Generic, Self, TypeVar, cast, overload

import numpy as np
import pyarrow as pa
import pyproj
import shapely
from numpy.typing import NDArray

from spatial_pipeline.model.wkb import too_deep

T = TypeVar("T")

DECODED_BYTES = 1 << 19
"""WKB decoded in one call: decoding keeps the GIL, about 1.5 ms for this much."""


def decoded(wkb: NDArray[np.object_]) -> NDArray[np.object_]:
    """(n,) Shapely geometries of (n,) WKB; None for null and for undecodable WKB.

    Collections that nest too deeply are skipped, as GEOS would crash the process. Curves decode to
    None too: GEOS reads them, but Shapely has no type for them.
    """
    out = np.full(len(wkb), None, dtype=object)
    sizes = np.fromiter((0 if w is None else len(w) for w in wkb), np.int64, len(wkb))
    deep = too_deep(wkb, sizes)
    if len(deep):
        wkb = wkb.copy()
        wkb[deep] = None
    edges = np.flatnonzero(np.diff(np.cumsum(sizes) // DECODED_BYTES)) + 1
    for start, stop in itertools.pairwise((0, *edges.tolist(), len(wkb))):
        out[start:stop] = _decoded(wkb[start:stop])
    return out


def _decoded(wkb: NDArray[np.object_]) -> NDArray[np.object_]:
    # NaN coordinates raise floating-point warnings; finite_coordinates reports them.
    with np.errstate(all="ignore"):
        try:
            return np.asarray(shapely.from_wkb(wkb, on_invalid="ignore"), dtype=object)
        except NotImplementedError:
            one_by_one = np.full(len(wkb), None, dtype=object)
            for i, value in enumerate(wkb):
                with contextlib.suppress(NotImplementedError):
                    one_by_one[i] = shapely.from_wkb(value, on_invalid="ignore")
            return one_by_one


class computed(Generic[T]):  # noqa: N801 - used as a decorator
    """A property that is computed once, under a lock of the instance.

    ``functools.cached_property`` has one lock for all instances until Python 3.12: two batches
    would never be decoded at the same time.
    """

    def __init__(self, function: Callable[[Any], T]) -> None:
        self.function = function
        self.name = function.__name__
        self.__doc__ = function.__doc__

    @overload
    def __get__(self, instance: None, owner: type) -> Self: ...

    @overload
    def __get__(self, instance: object, owner: type) -> T: ...

    def __get__(self, instance: object | None, owner: type) -> Self | T:
        """Computes and stores the value; later accesses read it from the instance directly."""
        if instance is None:
            return self
        values = instance.__dict__
        with values.setdefault(f"_{self.name}_lock", threading.Lock()):
            if self.name not in values:
                values[self.name] = self.function(instance)
        return cast("T", values[self.name])


@dataclass(frozen=True)
class FeatureBatch:
    """Some features of one dataset, as arrays of equal length n.

    Attributes:
        rows: (n,) int64 0-based source rows.
        positions: (n,) int64 positions in staged (Hilbert) order.
        table: the requested attribute columns.
        wkb: (n,) Arrow binary array, None when the dataset has no geometry.
        crs: CRS of the coordinates, None when missing or not understood.

    """

    rows: NDArray[np.int64]
    positions: NDArray[np.int64]
    table: pa.Table
    wkb: pa.Array | None
    crs: pyproj.CRS | None

    def __len__(self) -> int:
        return len(self.rows)

    def __getstate__(self) -> dict[str, Any]:
        """Pickles the fields only; computed values and locks are recreated after unpickling."""
        return {f.name: self.__dict__[f.name] for f in dataclasses.fields(self)}

    def memo(self, key: Any, make: Callable[[], T]) -> T:
        """Memoizes a value for this batch: computed once, shared by all callers.

        Args:
            key: cache key; hashable.
            make: computes the value; called by one thread at a time, under a lock of the key.

        """
        values = self.__dict__.setdefault("_memo", {})
        with values.setdefault(("lock", key), threading.Lock()):
            if key not in values:
                values[key] = make()
        return cast("T", values[key])

    @computed
    def geometry(self) -> NDArray[np.object_]:
        """(n,) Shapely geometries; None for null and for undecodable WKB."""
        if self.wkb is None:
            return np.full(len(self), None, dtype=object)
        return decoded(self.wkb.to_numpy(zero_copy_only=False))

    @computed
    def valid(self) -> NDArray[np.bool_]:
        """(n,) bool: OGC valid; False for null and for undecodable WKB."""
        return np.asarray(shapely.is_valid(self.geometry), dtype=bool)

    def take(self, index: Any) -> FeatureBatch:
        """The features at ``index`` (integers or a boolean mask)."""
        where = np.flatnonzero(index) if np.asarray(index).dtype == bool else np.asarray(index)
        batch = FeatureBatch(
            rows=self.rows[where],
            positions=self.positions[where],
            table=self.table.take(pa.array(where)),
            wkb=None if self.wkb is None else self.wkb.take(pa.array(where)),
            crs=self.crs,
        )
        if "geometry" in self.__dict__:
            batch.__dict__["geometry"] = self.geometry[where]
        if "valid" in self.__dict__:
            batch.__dict__["valid"] = self.valid[where]
        return batch


@dataclass(frozen=True)
class Tile:
    """The features that a tile owns and the halo around them.

    Attributes:
        features: owned features first, in staged order, then the halo in staged order.
        owned: number of owned features.

    """

    features: FeatureBatch
    owned: int
