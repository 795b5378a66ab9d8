from collections import defaultdict

import shapely

from spatial_pipeline.contract.rules.nodes import MustNotHavePseudoNodes
from spatial_pipeline_tests.check.geometry.shapes import lines
from spatial_pipeline_tests.check.layer_cases import LayerCases, laws
from spatial_pipeline_tests.support import memory_vector, run_rule

LINES = ["LINESTRING (0 0, 2 0)", "LINESTRING (2 0, 4 0)", "LINESTRING (4 0, 4 4, 0 4, 0 0)"]


def oracle(_rule, own, _other):
    nodes = defaultdict(list)
    for row, line in own.items():
        for place in (line.coords[0], line.coords[-1]):
            nodes[place].append(row)
    for place, rows in nodes.items():
        touching = {row for row, line in own.items() if line.intersects(shapely.Point(place))}
        if len(rows) == len(set(rows)) == 2 and touching == set(rows):
            yield tuple(sorted(rows)), "pseudo node", shapely.Point(place), None


test_laws = laws(
    LayerCases(
        MustNotHavePseudoNodes(),
        passes=[(["LINESTRING (0 0, 2 0)", "LINESTRING (2 0, 4 0)", "LINESTRING (2 -1, 2 1)"], [])],
        fails=[
            (
                LINES,
                [],
                [
                    ((0, 1), "pseudo node", "POINT (2 0)", None),
                    ((1, 2), "pseudo node", "POINT (4 0)", None),
                    ((0, 2), "pseudo node", "POINT (0 0)", None),
                ],
            )
        ],
        oracle=oracle,
        judges=frozenset({1}),
        against=frozenset({1}),
        shapes=lines(2),
        unjudged=["POINT (0 0)"],
    )
)


def test_lines_of_other_classes_are_told_apart():
    shapes = [shapely.from_wkt(w) for w in LINES]
    data = memory_vector(shapes, {"road": ["a", "a", "b"]}, batch_size=1)
    _, found = run_rule(MustNotHavePseudoNodes(same_columns=("road",)), data)
    assert found.rows.tolist() == [[0, 1]]
