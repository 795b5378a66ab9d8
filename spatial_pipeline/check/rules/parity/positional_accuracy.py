"""positional_accuracy: points lie where control points with the same key lie."""

from __future__ import annotations

import math
import threading
from collections.abc import Sequence
from typing import Any, cast

import numpy as np
import pyarrow as pa
import shapely
from numpy.typing import NDArray

from spatial_pipeline.check.base import BatchCheck, Context, evaluates
from spatial_pipeline.check.crs.transformation import in_degrees, length_unit, transformed
from spatial_pipeline.check.raster.reading import number
from spatial_pipeline.contract.rules.accuracy import PositionalAccuracy
from spatial_pipeline.errors import RuleError
from spatial_pipeline.model.features import FeatureBatch
from spatial_pipeline.model.readers import VectorReader
from spatial_pipeline.model.violations import RuleOutcome, Violations

POINT = 0
Key = tuple[Any, ...]
Errors = tuple[NDArray[np.int64], NDArray[np.float64], NDArray[np.object_]]
"""Source rows, distances and lines from the points to their control points."""


@evaluates(PositionalAccuracy)
class PositionalAccuracyCheck(BatchCheck[PositionalAccuracy]):
    """Measures the distance of every point that has a control point."""

    def __init__(self, rule: PositionalAccuracy, context: Context) -> None:
        super().__init__(rule, context)
        self._lock = threading.Lock()
        self._known: tuple[dict[Key, Any], str] | None = None

    def map(self, batch: FeatureBatch) -> Errors:
        """Distances of the points of this batch."""
        controls, _ = self._controls()
        keys = _keys(batch.table, self.rule.key)
        point = shapely.get_type_id(batch.geometry) == POINT
        point &= ~shapely.is_empty(batch.geometry)
        place = np.array([i for i, k in enumerate(keys) if point[i] and k in controls], np.int64)
        there = np.array([controls[keys[i]] for i in place.tolist()], dtype=object)
        here = batch.geometry[place]
        ends = np.stack([shapely.get_coordinates(here), shapely.get_coordinates(there)], axis=1)
        crs = self.context.data.profile.pyproj_crs
        if crs is not None and in_degrees(crs) and (geod := crs.get_geod()) is not None:
            distance = np.asarray(geod.inv(*ends[:, 0].T, *ends[:, 1].T)[2], dtype=np.float64)
        else:
            distance = np.hypot(*(ends[:, 1] - ends[:, 0]).T)
        return batch.rows[place], distance, shapely.linestrings(ends)

    def reduce(self, partials: Sequence[Errors]) -> RuleOutcome:
        """The measures, and the points beyond them when one fails.

        Raises:
            RuleError: no point has a control point.

        """
        controls, note = self._controls()
        count = sum(len(p[0]) for p in partials)
        if not count:
            msg = "needs points with a control point: no key of the two datasets agrees"
            raise RuleError(msg)
        rows, distance, lines = (np.concatenate([p[i] for p in partials]) for i in range(3))
        rmse = math.sqrt(math.fsum((distance * distance).tolist()) / count)
        high = float(np.sort(distance)[math.ceil(0.95 * count) - 1])
        crs = self.context.data.profile.pyproj_crs
        unit = "m" if in_degrees(crs) else length_unit(crs)
        failing = [
            f"{name} {number(value)} {unit} is larger than {number(limit)}"
            for name, value, limit in (
                ("RMSE", rmse, self.rule.rmse),
                ("CE95", high, self.rule.percentile95),
            )
            if limit is not None and value > limit
        ]
        limits = [v for v in (self.rule.rmse, self.rule.percentile95) if v is not None]
        wrong = np.flatnonzero(distance > min(limits)) if failing else np.empty(0, np.int64)
        told = f"RMSE {number(rmse)} {unit}, CE95 {number(high)} {unit}, of {count} points"
        lost = len(controls) - count
        return RuleOutcome(
            checked=count,
            violations=Violations.build(
                rows[wrong],
                [f"{number(d)} {unit} from its control point" for d in distance[wrong]],
                lines[wrong],
                distance[wrong],
                unit,
            ),
            passed=not failing,
            value=rmse if self.rule.rmse is not None else high,
            threshold=limits[0],
            message="; ".join(failing) or told,
            notes=(
                *((note,) if note else ()),
                *((told,) if failing else ()),
                *((f"{lost} control points have no point here",) if lost > 0 else ()),
            ),
        )

    def _controls(self) -> tuple[dict[Key, Any], str]:
        """Control points by key, in the CRS of the points; read once.

        Raises:
            RuleError: a column is missing, or a key stands there twice.

        """
        with self._lock:
            if self._known is None:
                self._known = self._read()
            return self._known

    def _read(self) -> tuple[dict[Key, Any], str]:
        data = cast("VectorReader", self.context.others[0])
        names = {c.name for c in data.profile.columns}
        if missing := [c for c in self.rule.key if c not in names]:
            msg = f"needs column {', '.join(missing)} in {data.profile.uri}"
            raise RuleError(msg)
        found: dict[Key, Any] = {}
        note = ""
        for index in range(data.batch_count()):
            batch = data.batch(index, self.rule.key)
            moved, note = transformed(
                batch.geometry, data.profile.pyproj_crs, self.context.data.profile.pyproj_crs
            )
            for key, shape in zip(_keys(batch.table, self.rule.key), moved, strict=True):
                if shape is None or shape.geom_type != "Point" or shape.is_empty or None in key:
                    continue
                if key in found:
                    msg = f"needs one control point a key: {key} stands twice in {data.profile.uri}"
                    raise RuleError(msg)
                found[key] = shape
        return found, note


def _keys(table: pa.Table, names: Sequence[str]) -> list[Key]:
    return list(zip(*(table.column(n).to_pylist() for n in names), strict=True))
