from dataclasses import replace

import shapely

from spatial_pipeline.contract.rules.base import OtherSource
from spatial_pipeline.contract.rules.networks import MustReach
from spatial_pipeline_tests.check.geometry.shapes import lines
from spatial_pipeline_tests.check.layer_cases import LayerCases, laws


def ends(line):
    return line.coords[0], line.coords[-1]


def oracle(rule, own, other):
    goals = {point.coords[0] for shape in other.values() for point in shapely.get_parts(shape)}
    ways = [ends(line)[:: -1 if rule.against else 1] for line in own.values()]
    if not rule.directed:
        ways += [way[::-1] for way in ways]
    for _ in ways:
        goals |= {start for start, end in ways if end in goals}
    for row, line in own.items():
        if ends(line)[0 if rule.against else 1] not in goals:
            yield (row,), "reaches no point", line, None


LOST = "LINESTRING (2 0, 3 0)"
CASES = LayerCases(
    MustReach(other=OtherSource(uri="sinks")),
    passes=[(["LINESTRING (0 0, 1 0)", "LINESTRING (1 0, 2 0)"], ["POINT (2 0)", "POINT (9 9)"])],
    fails=[
        (
            ["LINESTRING (0 0, 1 0)", "LINESTRING (1 0, 2 0)", LOST],
            ["MULTIPOINT ((2 0), (8 8))"],
            [((2,), "reaches no point", LOST, None)],
        )
    ],
    oracle=oracle,
    judges=frozenset({1}),
    against=frozenset({0}),
    shapes=lines(2),
    unjudged=["POINT (0 0)"],
    recalls=False,
)
test_laws = laws(CASES)
test_both_ways = laws(
    replace(
        CASES,
        rule=MustReach(other=OtherSource(uri="sinks"), directed=False),
        fails=[([LOST], ["POINT (0 0)"], [((0,), "reaches no point", LOST, None)])],
    )
)
test_from_sources = laws(
    replace(
        CASES,
        rule=MustReach(other=OtherSource(uri="sources"), against=True),
        passes=[(["LINESTRING (0 0, 1 0)", "LINESTRING (1 0, 2 0)"], ["POINT (0 0)"])],
        fails=[([LOST], ["POINT (3 0)"], [((0,), "reaches no point", LOST, None)])],
    )
)
