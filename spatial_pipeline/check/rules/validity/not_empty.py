"""not_empty: every feature has a geometry, and it is not empty."""

from __future__ import annotations

from collections import Counter

import numpy as np
import shapely

from spatial_pipeline.check.base import evaluates
from spatial_pipeline.check.forms.geometry_check import GeometryCheck, Judged
from spatial_pipeline.check.geometry.unjudged import UNDECODABLE, undecodable
from spatial_pipeline.contract.rules.validity import NotEmpty
from spatial_pipeline.model.features import FeatureBatch
from spatial_pipeline.model.violations import Violations


@evaluates(NotEmpty)
class NotEmptyCheck(GeometryCheck[NotEmpty]):
    """Reports null and empty geometries; one that does not decode is present, but not checked."""

    def judge(self, batch: FeatureBatch) -> Judged:
        """Null and empty geometries of this batch."""
        lost = undecodable(batch, self.context.data.profile)
        null = shapely.is_missing(batch.geometry) & ~lost
        bad = shapely.is_empty(batch.geometry)
        if not self.rule.allow_null:
            bad |= null
        rows = np.flatnonzero(bad)
        names = [g.geom_type for g in batch.geometry[rows[~null[rows]]]]
        reasons = np.full(len(rows), "the geometry is null", dtype=object)
        reasons[~null[rows]] = [f"the {name} is empty" for name in names]
        return Judged(
            len(batch) - int(lost.sum()),
            Violations.build(batch.rows[rows], reasons),
            Counter({UNDECODABLE: int(lost.sum())}),
        )
