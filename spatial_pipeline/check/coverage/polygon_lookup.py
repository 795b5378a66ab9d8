"""Spatial look-up of the polygons of a dataset, a chunk of features at a time."""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterator
from typing import cast

import numpy as np
import pyproj
import shapely
from numpy.typing import NDArray

from spatial_pipeline.check.coverage.feature_lookup import FeatureLookup
from spatial_pipeline.check.crs.transformation import transformed
from spatial_pipeline.check.geometry.boxes import Boxes
from spatial_pipeline.check.geometry.eligible import POLYGON, Excluded, judged, of_dimension
from spatial_pipeline.model.readers import VectorReader

CHUNK = 8192
"""Features read at once."""


class PolygonLookup:
    """Some features of a dataset, known to be valid and to have a polygonal part.

    Args:
        data: the dataset.
        member: (n,) bool in staged order: membership of each feature.
        cancelled: raises when the time is up.
        known: source of the features; the dataset unless given.

    """

    def __init__(
        self,
        data: VectorReader,
        member: NDArray[np.bool_],
        cancelled: Callable[[], None],
        known: FeatureLookup | None = None,
    ) -> None:
        self._known = known or FeatureLookup(data, ())
        self.data = data
        self._member = member
        self._cancelled = cancelled

    def near(
        self, geometries: NDArray[np.object_]
    ) -> Iterator[tuple[NDArray[np.int64], NDArray[np.int64], NDArray[np.object_]]]:
        """The polygons whose boxes meet the box of one of the geometries, chunk by chunk.

        Yields:
            (m,) ascending indices of geometries that a polygon of the chunk is near to, and the
            (k,) source rows and polygonal parts of the chunk.

        """
        if not self._member.any():
            return
        geometry, feature = shared_boxes(self.data).query(geometries)
        mine = self._member[feature]
        geometry, feature = geometry[mine], feature[mine]
        order = np.argsort(feature, kind="stable")
        geometry, feature = geometry[order], feature[order]
        wanted, begins = np.unique(feature, return_index=True)
        ends = np.append(begins, len(feature))
        for begin in range(0, len(wanted), CHUNK):
            self._cancelled()
            chunk = wanted[begin : begin + CHUNK]
            batch = self._known.take(chunk)
            close = geometry[ends[begin] : ends[min(begin + CHUNK, len(wanted))]]
            yield np.unique(close), batch.rows, of_dimension(batch.geometry, POLYGON)


def shared_boxes(data: VectorReader) -> Boxes:
    """The boxes of all features of a dataset, computed once for all rules that need them.

    Args:
        data: the dataset; caches them.

    """
    bounds = data.feature_bounds()
    with _LOCK:
        made = vars(data).get(_MEMO)
        if made is None:
            made = vars(data)[_MEMO] = Boxes(bounds)
    return cast("Boxes", made)


_MEMO = "_boxes"
_LOCK = threading.Lock()


def all_polygons(
    data: VectorReader, crs: pyproj.CRS | None, cancelled: Callable[[], None]
) -> tuple[NDArray[np.object_], Excluded, str]:
    """The valid polygonal parts of another dataset, in a CRS.

    Args:
        data: the other dataset.
        crs: the target CRS; None keeps the coordinates as they are.
        cancelled: raises when the time is up.

    Returns:
        The polygons, the features left out, and the note of the transformation.

    Raises:
        RuleError: it cannot be transformed to that CRS.

    """
    polygons, left_out, note = [np.empty(0, dtype=object)], [], ""
    for index in range(data.batch_count()):
        cancelled()
        batch = data.batch(index, ())
        if crs is not None:
            geometry, note = transformed(batch.geometry, data.profile.pyproj_crs, crs)
            # The WKB no longer matches these geometries.
            batch.__dict__["geometry"] = geometry
            batch.__dict__["valid"] = np.asarray(shapely.is_valid(geometry), dtype=bool)
        (areas,), out = judged(batch, data.profile, (POLYGON,))
        polygons.append(areas.geometry)
        left_out.append(out)
    return np.concatenate(polygons), Excluded.concat(left_out), note


def united(
    geometries: NDArray[np.object_], group: NDArray[np.int64], groups: int
) -> NDArray[np.object_]:
    """(groups,) the union of the geometries of each group, None for a group without any.

    Groups of the same geometries are united once.

    Args:
        geometries: (n,) geometries of one dimension.
        group: (n,) the group of each.
        groups: number of groups.

    """
    out = np.full(groups, None, dtype=object)
    if len(group):
        order = np.argsort(group, kind="stable")
        held, compact = np.unique(group[order], return_inverse=True)
        bags = shapely.geometrycollections(geometries[order], indices=compact)
        out[held] = shapely.union_all(bags[:, np.newaxis], axis=1)
    return out
