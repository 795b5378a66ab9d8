from collections import defaultdict

import shapely

from spatial_pipeline.contract.rules.nodes import NodeValency
from spatial_pipeline_tests.check.geometry.shapes import lines
from spatial_pipeline_tests.check.layer_cases import LayerCases, laws


def oracle(rule, own, _other):
    nodes = defaultdict(list)
    for row, line in own.items():
        for place in (line.coords[0], line.coords[-1]):
            nodes[place].append(row)
    for place, rows in nodes.items():
        if len(rows) > rule.max or len(rows) < rule.min:
            reason = f"too {'many' if len(rows) > rule.max else 'few'} line ends"
            yield tuple(sorted(set(rows))), reason, shapely.Point(place), len(rows)


test_laws = laws(
    LayerCases(
        NodeValency(min=2, max=3),
        passes=[(["LINESTRING (0 0, 2 0, 2 2, 0 0)", "LINESTRING (0 0, 5 5, 5 0, 0 0)"][:1], [])],
        fails=[
            (
                [
                    "LINESTRING (0 0, 2 0)",
                    *["LINESTRING (2 0, 4 0)", "LINESTRING (0 0, 0 4, 2 0)"] * 2,
                ],
                [],
                [
                    ((0, 1, 2, 3, 4), "too many line ends", "POINT (2 0)", 5),
                ],
            )
        ],
        oracle=oracle,
        tolerances=["max"],
        judges=frozenset({1}),
        against=frozenset({1}),
        shapes=lines(2),
        unjudged=["POINT (0 0)"],
    )
)
