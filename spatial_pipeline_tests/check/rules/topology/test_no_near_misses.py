import itertools

import shapely

from spatial_pipeline.contract.rules.nodes import NoNearMisses
from spatial_pipeline_tests.check.geometry.shapes import lines
from spatial_pipeline_tests.check.layer_cases import LayerCases, laws
from spatial_pipeline_tests.support import memory_vector, run_rule


def ends(line):
    return [shapely.Point(c) for c in dict.fromkeys((line.coords[0], line.coords[-1]))]


def oracle(rule, own, _other):
    for i, j in itertools.permutations(own, 2):
        for point in ends(own[i]):
            for end in ends(own[j]) if i < j else []:
                if 0 < point.distance(end) <= rule.within:
                    line = shapely.shortest_line(shapely.force_2d(point), shapely.force_2d(end))
                    yield (i, j), "node near node", line, line.length
        inner = [shapely.Point(c) for c in own[i].coords[1:-1]]
        for reason, points in (("node", ends(own[i])), ("vertex", inner)):
            for point in points:
                line = shapely.shortest_line(shapely.force_2d(point), shapely.force_2d(own[j]))
                met = shapely.Point(line.coords[-1])
                if 0 < line.length <= rule.within and met not in ends(own[j]):
                    yield (i, j), f"{reason} near edge", line, line.length


MISS = ["LINESTRING (0 0, 4 0)", "LINESTRING (2 0.5, 2 3)", "LINESTRING (4.5 0, 8 0)"]
test_laws = laws(
    LayerCases(
        NoNearMisses(within=1, between=("node-node", "node-edge", "vertex-edge")),
        passes=[(["LINESTRING (0 0, 4 0)", "LINESTRING (2 0, 2 3)", "LINESTRING (4 0, 8 0)"], [])],
        fails=[
            (
                MISS,
                [],
                [
                    ((0, 2), "node near node", "LINESTRING (4 0, 4.5 0)", 0.5),
                    ((1, 0), "node near edge", "LINESTRING (2 0.5, 2 0)", 0.5),
                ],
            ),
            (
                ["LINESTRING (0 0, 4 0)", "LINESTRING (0 3, 2 0.5, 4 3)"],
                [],
                [((1, 0), "vertex near edge", "LINESTRING (2 0.5, 2 0)", 0.5)],
            ),
        ],
        oracle=oracle,
        searches=["within"],
        judges=frozenset({1}),
        against=frozenset({1}),
        shapes=lines(2),
        unjudged=["POINT (0 0)"],
    )
)


def test_what_is_asked_for_and_levels():
    shapes = [shapely.from_wkt(w) for w in MISS]
    data = memory_vector(shapes, {"level": [0, 1, 0]}, batch_size=1)
    _, found = run_rule(NoNearMisses(within=1, between=("node-edge",)), data)
    assert found.rows.tolist() == [[1, 0]]
    _, found = run_rule(NoNearMisses(within=1, unless_differs=("level",)), data)
    assert found.rows.tolist() == [[0, 2]]
