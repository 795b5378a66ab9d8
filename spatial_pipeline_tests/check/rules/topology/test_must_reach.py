from dataclasses import replace

import pytest
import shapely
from hypothesis import given, settings
from hypothesis import strategies as st

from spatial_pipeline.contract.rules.base import OtherSource
from spatial_pipeline.contract.rules.networks import MustReach
from spatial_pipeline_tests.check.geometry.shapes import lines
from spatial_pipeline_tests.check.layer_cases import LayerCases, laws
from spatial_pipeline_tests.support import memory_vector, run_rule


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


NODE = st.integers(0, 5)
SINKS, DAMS = OtherSource(uri="sinks"), OtherSource(uri="dams")


def led(ways, goals, dams, at):
    """Every way from a node, tried one by one: it ends at a goal, or at a dam."""
    tried, todo = set(), [at]
    while todo:
        node = todo.pop()
        if node in goals:
            return True
        if node not in tried and node not in dams:
            todo += [end for start, end in ways if start == node]
        tried.add(node)
    return False


@pytest.mark.parametrize("directed", [True, False])
@pytest.mark.parametrize("against", [True, False])
@given(st.lists(st.tuples(NODE, NODE), max_size=8), st.sets(NODE, max_size=2), st.sets(NODE))
@settings(max_examples=25, deadline=None)
def test_no_way_leads_on_from_a_barrier(directed, against, edges, goals, dams):
    edges = [(a, b) for a, b in edges if a != b]
    # Node n lies at (n, n²), so that no three of them are on a line.
    shapes = [shapely.LineString([(a, a * a), (b, b * b)]) for a, b in edges]
    points = [memory_vector([shapely.Point(n, n * n) for n in some]) for some in (goals, dams)]
    rule = MustReach(other=SINKS, barriers=DAMS, directed=directed, against=against,
                     if_present=True)  # fmt: skip
    ways = [(b, a) if against else (a, b) for a, b in edges]
    both = ways if directed else [*ways, *(way[::-1] for way in ways)]
    expected = []
    for row, way in enumerate(ways):
        # A dam at the end of a line that is followed both ways leaves its beginning.
        places = way[1:] if directed else way
        if not any(led(both, goals, dams, place) for place in places):
            expected.append(row)
    violations = run_rule(rule, memory_vector(shapes), *points)[1]
    assert violations.rows[:, 0].tolist() == expected
