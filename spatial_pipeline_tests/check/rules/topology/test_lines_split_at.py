import itertools

import shapely

from spatial_pipeline.contract.rules.nodes import LinesSplitAt
from spatial_pipeline_tests.check.geometry.shapes import lines
from spatial_pipeline_tests.check.layer_cases import LayerCases, laws
from spatial_pipeline_tests.support import memory_vector, run_rule


def oracle(rule, own, _other):
    for i, j in itertools.combinations(own, 2):
        places = [
            {line.coords[0], line.coords[-1]} if rule.require == "node" else set(line.coords)
            for line in (own[i], own[j])
        ]
        for part in shapely.get_parts(own[i].intersection(own[j])):
            if part.geom_type == "Point" and not all(part.coords[0] in p for p in places):
                yield (i, j), f"no {rule.require}", part, None


CROSS = ["LINESTRING (0 0, 1 1, 2 2)", "LINESTRING (0 2, 1 1, 2 0)"]
test_nodes = laws(
    LayerCases(
        LinesSplitAt(),
        passes=[(["LINESTRING (0 0, 1 1)", "LINESTRING (1 1, 2 2)"], [])],
        fails=[(CROSS, [], [((0, 1), "no node", "POINT (1 1)", None)])],
        oracle=oracle,
        judges=frozenset({1}),
        against=frozenset({1}),
        shapes=lines(2),
        unjudged=["POINT (0 0)"],
    )
)
test_vertices = laws(
    LayerCases(
        LinesSplitAt(require="vertex"),
        passes=[(CROSS, [])],
        fails=[
            ([CROSS[0], "LINESTRING (0 2, 2 0)"], [], [((0, 1), "no vertex", "POINT (1 1)", None)])
        ],
        oracle=oracle,
        judges=frozenset({1}),
        against=frozenset({1}),
        shapes=lines(2),
        unjudged=["POINT (0 0)"],
    )
)


def test_lines_of_other_levels_do_not_meet():
    shapes = [shapely.from_wkt(w) for w in CROSS]
    for level, found in ((1, 0), (0, 1)):
        data = memory_vector(shapes, {"level": [0, level]}, batch_size=1)
        assert len(run_rule(LinesSplitAt(unless_differs=("level",)), data)[1]) == found
