"""Cases of rules about points that must lie on something of another dataset."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from typing import Any

import shapely
from hypothesis import strategies as st

from spatial_pipeline.contract.rules.base import OtherSource
from spatial_pipeline_tests.check.layer_cases import LayerCases

HALVES = st.tuples(st.integers(0, 8), st.integers(0, 8)).map(
    lambda p: shapely.Point(p[0] / 2, p[1] / 2)
)
"""Points on a grid of halves, so that distances meet the tolerance exactly."""
Case = tuple[str, Sequence[str], str, float | None]
"""A feature, the other layer, the stray point, its distance."""


def placed(
    model: Any,
    reason: str,
    targets: Callable[[Any], Iterable[Any]],
    good: tuple[str, Sequence[str]],
    bad: Case,
    *,
    tolerance: float = 0.0,
    points: Callable[[Any], Iterable[Any]] = shapely.get_parts,
    judges: int = 0,
    against: int = 0,
    shapes: Any = HALVES,
    theirs: Any = HALVES,
) -> LayerCases:
    """Cases with an oracle that measures every distance.

    Args:
        model: the rule's class.
        reason: of its violations.
        targets: what of a feature of the other layer points may lie on.
        good: a feature and another layer without a violation.
        bad: the same with one.
        tolerance: of the rule.
        points: the points of a feature.
        judges: dimension of the features.
        against: dimension of the others.
        shapes: strategy of features.
        theirs: strategy of others.
    """

    def oracle(rule: Any, own: Any, other: Any) -> Iterable[Any]:
        goals = [t for shape in other.values() for t in targets(shape)]
        for row, shape in own.items():
            for point in points(shape):
                near = min((point.distance(goal) for goal in goals), default=9e9)
                if near > rule.tolerance:
                    yield (row,), reason, point, near if near <= 2 * rule.tolerance else None

    shape, layer, point, distance = bad
    return LayerCases(
        model(other=OtherSource(uri="others"), tolerance=tolerance),
        passes=[([good[0]], good[1])],
        fails=[([shape], layer, [((0,), reason, point, distance)])],
        oracle=oracle,
        judges=frozenset({judges}),
        against=frozenset({against}),
        shapes=shapes,
        theirs=theirs,
        tolerances=["tolerance"],
        unjudged=["POINT (0 0)" if judges else "LINESTRING (0 0, 1 1)"],
    )
