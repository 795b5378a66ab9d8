"""Cases of rules about lines and boundaries that must run along something of another dataset."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from typing import Any

import shapely
from hypothesis import strategies as st

from spatial_pipeline.contract.rules.base import OtherSource
from spatial_pipeline_tests.check.layer_cases import LayerCases

BOX = "POLYGON ((0 0, 2 0, 2 2, 0 2, 0 0))"
BOXES = st.tuples(*[st.integers(0, 4)] * 4).map(lambda c: shapely.box(c[0], c[1], c[2], c[3]))
PATHS = st.lists(st.tuples(st.integers(0, 4), st.booleans()), min_size=2, max_size=5).map(
    lambda steps: shapely.LineString(
        [
            (sum(n for n, up in steps[:i] if up), sum(n for n, up in steps[:i] if not up))
            for i in range(len(steps) + 1)
        ]
    )
)
"""Shapes along the axes, so that overlay rounds nothing."""


def covered(
    model: Any,
    own: Callable[[Any], Any],
    theirs: Callable[[Any], Any],
    good: tuple[str, Sequence[str]],
    bad: tuple[str, Sequence[str], str, float],
    *,
    judges: int,
    against: int,
) -> LayerCases:
    """Cases with an oracle that cuts with the union of everything.

    Args:
        model: the rule's class.
        own: the line of a feature.
        theirs: the line of a feature of the other layer.
        good: a feature and another layer without a violation.
        bad: the same with the uncovered part and its length.
        judges: dimension of the features.
        against: dimension of the others.
    """

    def oracle(rule: Any, layer: Any, other: Any) -> Iterable[Any]:
        cover = shapely.union_all([theirs(shape) for shape in other.values()])
        for row, shape in layer.items():
            rest = shapely.line_merge(own(shape).difference(cover))
            parts = [p for p in shapely.get_parts(rest) if p.length > rule.tolerance]
            if parts:
                rest = shapely.union_all(parts)
                yield (row,), "not covered", rest, rest.length

    shapes = {1: PATHS, 2: BOXES}
    return LayerCases(
        model(other=OtherSource(uri="others")),
        passes=[([good[0]], good[1])],
        fails=[([bad[0]], bad[1], [((0,), "not covered", bad[2], bad[3])])],
        oracle=oracle,
        judges=frozenset({judges}),
        against=frozenset({against}),
        shapes=shapes[judges],
        theirs=shapes[against],
        tolerances=["tolerance"],
        unjudged=["POINT (0 0)"],
    )
