import shapely

from spatial_pipeline.contract.rules.base import OtherSource
from spatial_pipeline.contract.rules.networks import MustBeAcyclic
from spatial_pipeline_tests.check.geometry.shapes import lines
from spatial_pipeline_tests.check.layer_cases import LayerCases, laws


def ends(line):
    return line.coords[0], line.coords[-1]


def oracle(_rule, own, _other):
    graph = {}
    for line in own.values():
        start, end = ends(line)
        graph.setdefault(start, set()).add(end)
    reach = {place: set(to) for place, to in graph.items()}
    for _ in range(len(graph)):
        for to in reach.values():
            to.update(*(reach.get(place, ()) for place in list(to)))
    on = {r: ends(line) for r, line in own.items() if ends(line)[0] in reach.get(ends(line)[1], ())
          or ends(line)[0] == ends(line)[1]}  # fmt: skip
    for row, (start, _) in on.items():
        mates = [r for r, (s, _) in on.items() if s == start
                 or (s in reach[start] and start in reach[s])]  # fmt: skip
        yield (row,), "on a cycle", own[row], len(mates)


def between(x):
    """Two triangles, and a line from one to the other."""
    left = ["LINESTRING (0 0, 1 0)", "LINESTRING (1 0, 1 1)", "LINESTRING (1 1, 0 0)"]
    right = ["LINESTRING (5 0, 6 0)", "LINESTRING (6 0, 6 1)", "LINESTRING (6 1, 5 0)"]
    told = [((i,), "on a cycle", line, 3) for i, line in enumerate([*left, *right])]
    return [*left, *right, x], [], told


ROUND = ["LINESTRING (0 0, 1 0)", "LINESTRING (1 0, 1 1)", "LINESTRING (1 1, 0 0)"]
test_laws = laws(
    LayerCases(
        MustBeAcyclic(),
        passes=[([*ROUND[:2], "LINESTRING (0 0, 1 1)"], [])],
        fails=[
            between("LINESTRING (1 0, 5 0)"),
            between("LINESTRING (6 0, 1 1)"),
            (
                [*ROUND, "LINESTRING (1 1, 5 5)"],
                [],
                [((i,), "on a cycle", ROUND[i], 3) for i in range(3)],
            ),
            (
                ["LINESTRING (0 0, 1 0, 1 1, 0 0)"],
                [],
                [((0,), "on a cycle", "LINESTRING (0 0, 1 0, 1 1, 0 0)", 1)],
            ),
        ],
        oracle=oracle,
        judges=frozenset({1}),
        shapes=lines(2),
        unjudged=["POINT (0 0)"],
        recalls=False,
    )
)


def broken(rule, own, other):
    barred = {point.coords[0] for shape in other.values() for point in shapely.get_parts(shape)}
    yield from oracle(rule, {r: line for r, line in own.items() if ends(line)[0] not in barred}, {})


test_no_way_leads_on_from_a_barrier = laws(
    LayerCases(
        MustBeAcyclic(barriers=OtherSource(uri="dams")),
        passes=[(ROUND, ["POINT (1 1)"])],
        fails=[(ROUND, ["POINT (2 2)"], [((i,), "on a cycle", ROUND[i], 3) for i in range(3)])],
        oracle=broken,
        judges=frozenset({1}),
        against=frozenset({0}),
        shapes=lines(2),
        unjudged=["POINT (0 0)"],
        recalls=False,
    )
)
