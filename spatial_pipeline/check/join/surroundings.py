"""Look-up of the features of a dataset around those of another one, whatever their CRS."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

import numpy as np
import pyarrow as pa
import pyproj
import shapely
from numpy.typing import NDArray

from spatial_pipeline.check.crs.transformation import transformed
from spatial_pipeline.check.geometry.boxes import Boxes
from spatial_pipeline.check.geometry.fast_facts import plain
from spatial_pipeline.contract.vocabulary import Bounds
from spatial_pipeline.model.crs.comparison import same_horizontally
from spatial_pipeline.model.features import FeatureBatch
from spatial_pipeline.model.readers import VectorReader


def placed(batch: FeatureBatch, crs: pyproj.CRS | None) -> tuple[FeatureBatch, str]:
    """The batch with its geometry in another CRS, and a note on the operation; see `transformed`.

    Args:
        batch: features with geometry.
        crs: the target CRS.

    """
    if batch.wkb is None or (crs is None and batch.crs is None):
        return batch, ""
    geometry, note = transformed(batch.geometry, batch.crs, crs)
    if not note:
        return batch, ""
    # Geometries that do not decode become null here; the caller counts them by their rows.
    wkb = pa.array(shapely.to_wkb(geometry, flavor="iso"), pa.binary())
    return replace(batch, wkb=wkb, crs=crs), note


class Surroundings:
    """The features of another dataset around a piece, in the CRS of the piece."""

    def __init__(self, other: VectorReader, crs: pyproj.CRS | None) -> None:
        self.other = other
        self.crs = crs
        self.boxes = Boxes(other.feature_bounds())
        self.same_crs = crs is None or same_horizontally(crs, other.profile.pyproj_crs)
        self.note = ""

    def near(self, owned: FeatureBatch, halo: float, columns: Sequence[str]) -> FeatureBatch:
        """Features whose boxes are within ``halo`` of a box of the owned features."""
        boxes = plain(owned).bounds
        if self.same_crs:
            return self.other.take(self.boxes.near(boxes, halo), columns)
        around = boxes[np.isfinite(boxes).all(axis=1)]
        if not len(around):
            return self.other.take(np.empty(0, dtype=np.int64), columns)
        xmin, ymin = (around[:, :2].min(axis=0) - halo).tolist()
        xmax, ymax = (around[:, 2:].max(axis=0) + halo).tolist()
        there = self.other.profile.pyproj_crs
        candidates = self._candidates((xmin, ymin, xmax, ymax), there)
        batch = self.other.take(candidates, columns)
        geometry, note = transformed(batch.geometry, there, self.crs)
        self.note = self.note or note
        hits = Boxes(shapely.bounds(geometry).reshape(-1, 4)).near(boxes, halo)
        near = batch.take(hits)
        # The WKB no longer matches these geometries.
        near.__dict__["geometry"] = geometry[hits]
        near.__dict__["valid"] = np.asarray(shapely.is_valid(geometry[hits]), dtype=bool)
        return near

    def _candidates(self, extent: Bounds, there: pyproj.CRS | None) -> NDArray[np.int64]:
        """Positions of the features that may lie in an extent given in the CRS of the piece."""
        back = pyproj.Transformer.from_crs(self.crs, there, always_xy=True)
        xmin, ymin, xmax, ymax = back.transform_bounds(*extent, densify_pts=101)
        if not np.isfinite([xmin, ymin, xmax, ymax]).all() or xmin > xmax:
            # Outside the projection's domain, or across the antimeridian: not representable by a
            # box.
            return np.flatnonzero(np.isfinite(self.boxes.bounds).all(axis=1))
        # An edge bulges between the points at which it was transformed.
        margin = 0.02 * max(xmax - xmin, ymax - ymin)
        box = np.array([xmin - margin, ymin - margin, xmax + margin, ymax + margin])
        return self.boxes.within(box)
