"""Form of network rules: a function that sees all lines of a dataset as a graph.

A rule is a function decorated by :func:`network_rule`. Pieces give the ends of their lines, 40
bytes each; when all are known, the function gets its model and a :class:`Network`, and names lines.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from typing import Any, TypeVar, cast, get_type_hints

import numpy as np
import shapely
from numpy.typing import NDArray

from spatial_pipeline.check.base import BatchCheck, evaluates
from spatial_pipeline.check.crs.transformation import transformed
from spatial_pipeline.check.forms.feature_rule import Lines, Points
from spatial_pipeline.check.forms.shapes_of_rows import shapes_of
from spatial_pipeline.check.geometry.line_nodes import LineEnds
from spatial_pipeline.check.geometry.unjudged import (
    NO_GEOMETRY,
    OTHERS_LEFT,
    THREE_D,
    notes,
    require_geometry,
    summary,
)
from spatial_pipeline.contract.rules import Rule
from spatial_pipeline.errors import RuleError
from spatial_pipeline.model.features import FeatureBatch
from spatial_pipeline.model.profile import VectorProfile
from spatial_pipeline.model.readers import VectorReader
from spatial_pipeline.model.violations import RuleOutcome, Violations

Named = tuple[NDArray[np.int64], str, NDArray[Any]]
"""Lines, reason, measures."""


@dataclass(frozen=True)
class Network:
    """The parts of m valid lines as directed edges between n nodes, places of equal coordinates.

    Attributes:
        row: (m,) source rows.
        start: (m,) the node in which each begins.
        end: (m,) the node in which it ends.
        nodes: n.
        marked: nodes on which a point of the other dataset lies.
        barred: nodes from which no way leads on.
        cancelled: raises when the time is up.

    """

    row: NDArray[np.int64]
    start: NDArray[np.int64]
    end: NDArray[np.int64]
    nodes: int
    marked: NDArray[np.int64]
    barred: NDArray[np.int64]
    cancelled: Callable[[], None] = field(default=lambda: None)

    def __len__(self) -> int:
        return len(self.row)

    def passable(self, start: NDArray[np.int64]) -> NDArray[np.int64]:
        """Indices of the edges that begin in one of these nodes and at no barrier."""
        return np.flatnonzero(~np.isin(start, self.barred))


@dataclass(frozen=True)
class LinePieces:
    """Partial result of one batch: features checked, notes, and (m,) rows and (m, 4) ends."""

    checked: int
    said: Counter[str]
    row: NDArray[np.int64]
    ends: NDArray[np.float64]


class NetworkRuleCheck(BatchCheck[Rule]):
    """Evaluates a function that :func:`network_rule` decorates."""

    judge: Callable[[Any, Any], Named]

    def map(self, batch: FeatureBatch) -> LinePieces:
        """The ends of the lines of a batch.

        Raises:
            RuleError: the source has no geometry column.

        """
        if batch.wkb is None:
            raise RuleError(NO_GEOMETRY)
        features, said = Lines.of(batch, self.context.data.profile, valid=True)
        ends = LineEnds.of(features.parts)
        xy = shapely.get_coordinates(ends.point).reshape(-1, 4) + 0.0
        return LinePieces(len(features), said, batch.rows[features.index][ends.feature[::2]], xy)

    def reduce(self, partials: Sequence[LinePieces]) -> RuleOutcome:
        """The lines that the function names, with their geometry."""
        require_geometry(self.context.data.profile)
        row = np.concatenate([np.empty(0, np.int64), *(p.row for p in partials)])
        places = np.concatenate([np.empty((0, 4)), *(p.ends for p in partials)]).reshape(-1, 2)
        known, node = np.unique(places, axis=0, return_inverse=True)
        node = node.reshape(-1)
        others = list(cast("tuple[VectorReader, ...]", self.context.others))
        marked = barred = np.empty(0, np.int64)
        told: list[str] = []
        if getattr(self.rule, "barriers", None) is not None:
            barred, said = self._marked(known, others.pop())
            told += said
        if others:
            marked, said = self._marked(known, others[0])
            told += said
        cancelled = self.context.cancelled
        network = Network(row, node[::2], node[1::2], len(known), marked, barred, cancelled)
        violations = self._violations(*type(self).judge(self.rule, network), row)
        return RuleOutcome(
            checked=sum(p.checked for p in partials),
            violations=violations,
            message=summary(violations),
            notes=(*notes(sum((p.said for p in partials), Counter())), *dict.fromkeys(told)),
        )

    def _violations(
        self, line: NDArray[np.int64], reason: str, measure: NDArray[Any], row: NDArray[np.int64]
    ) -> Violations:
        """Violations of features, each once, with the measure of its first part."""
        rows, first = np.unique(row[line], return_index=True)
        return Violations.build(rows, reason, shapes_of(self.context, rows), measure[first])

    def _marked(
        self, known: NDArray[np.float64], other: VectorReader
    ) -> tuple[NDArray[np.int64], tuple[str, ...]]:
        """Nodes on which a point of another dataset lies, and notes on that dataset."""
        crs = cast("VectorProfile", self.context.data.profile).pyproj_crs
        every, said, note = [known], Counter[str](), ""
        for index in range(other.batch_count()):
            self.context.cancelled()
            features, left = Points.of(other.batch(index, ()), other.profile, valid=True)
            said += left
            points, note = transformed(features.parts.geometry, other.profile.pyproj_crs, crs)
            every.append(shapely.get_coordinates(points) + 0.0)
        node = np.unique(np.concatenate(every), axis=0, return_inverse=True)[1].reshape(-1)
        said.pop(THREE_D, None)
        told = (*notes(said, OTHERS_LEFT), *([note] if note else []))
        return np.flatnonzero(np.isin(node[: len(known)], node[len(known) :])), told


T = TypeVar("T", bound=Callable[[Any, Any], Named])


def network_rule(function: T) -> T:
    """Registers a function as the evaluation of the rule model of its first parameter.

    It gets the rule and a :class:`Network`, and returns the indices of lines with a violation, the
    reason, and a measure for each.
    """
    model = next(iter(get_type_hints(function).values()))
    parts = {
        "judge": staticmethod(function),
        "__doc__": function.__doc__,
        "__module__": function.__module__,
    }
    evaluates(model)(type(f"{model.__name__}Check", (NetworkRuleCheck,), parts))
    return function


__all__ = ["Named", "Network", "network_rule"]
