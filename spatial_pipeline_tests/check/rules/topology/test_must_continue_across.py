import pydantic
import pytest
import shapely

from spatial_pipeline.contract.rules.base import OtherSource
from spatial_pipeline.contract.rules.boundaries import MustContinueAcross, TileGrid
from spatial_pipeline.contract.vocabulary import Status
from spatial_pipeline_tests.check.layer_cases import LayerCases, laws
from spatial_pipeline_tests.check.rules.topology.covered import BOX, BOXES, PATHS
from spatial_pipeline_tests.support import memory_vector, run_rule

OTHER = OtherSource(uri="sheets")
GRID = TileGrid(origin=(0, 0), size=2)
LONE, OTHERS = "no partner across the border", "other values across the border"
KINDS = ["a", "b", "a"]
FAR = "LINESTRING (9.1 9.1, 9.6 9.5)"


def ends_of(line):
    path = list(line.coords)
    distinct = [p for i, p in enumerate(path) if not i or p != path[i - 1]]
    if len(distinct) < 2 or distinct[0] == distinct[-1]:
        return []
    return [(distinct[0], distinct[1]), (distinct[-1], distinct[-2])]


def of_lines(rule, own, _other):
    """Every end on the grid, against every other end."""
    ends = [(row, at, before) for row, line in own.items() for at, before in ends_of(line)]
    for row, at, before in ends:
        axis = next((a for a in (0, 1) if at[a] % 2 == 0), None)
        if axis is None or before[axis] == at[axis]:
            continue
        there = [
            other
            for other, place, inner in ends
            if other != row
            and place == at
            and (inner[axis] - at[axis]) * (before[axis] - at[axis]) < 0
        ]
        if not any(KINDS[o % 3] == KINDS[row % 3] for o in there):
            yield (row,), OTHERS if there else LONE, shapely.Point(at), None


test_laws_of_lines_on_a_grid = laws(
    LayerCases(
        MustContinueAcross(border=GRID, match={"kind": "kind"}),
        passes=[
            (["LINESTRING (1 1, 2 1)", FAR,
              "LINESTRING (2 1, 3 1)"], []),
            # Ends inside of a tile, lines along the border and across it.
            (["LINESTRING (1 1, 1 1.5)", "LINESTRING (2 2, 2 4)", "LINESTRING (1 1, 5 1)"], []),
        ],
        fails=[
            (["LINESTRING (1 1, 2 1)"], [], [((0,), LONE, "POINT (2 1)", None)]),
            (["LINESTRING (1 1, 2 1)", "LINESTRING (2 1, 3 1)"], [],
             [((0,), OTHERS, "POINT (2 1)", None), ((1,), OTHERS, "POINT (2 1)", None)]),
            # Two that meet at the border on the same side do not continue each other.
            (["LINESTRING (1 1, 2 1)", FAR, "LINESTRING (1 0.5, 2 1)"], [],
             [((0,), LONE, "POINT (2 1)", None), ((2,), LONE, "POINT (2 1)", None)]),
        ],
        oracle=of_lines,
        judges=frozenset({1}),
        shapes=PATHS,
        columns={"kind": KINDS},
    )
)  # fmt: skip


def of_boxes(rule, own, other):
    """The edge of each box on the border, outside of all other boxes' edges."""
    border = shapely.union_all([s for s in other.values() if shapely.get_dimensions(s) == 1])
    for row, box in own.items():
        edge = lines(box.boundary.intersection(border))
        rest = edge.difference(shapely.union_all([b.boundary for r, b in own.items() if r != row]))
        parts = [p for p in shapely.get_parts(shapely.line_merge(rest)) if p.length]
        parts = [p for p in parts if p.length > rule.tolerance]
        if parts:
            rest = shapely.union_all(parts)
            yield (row,), LONE, rest, rest.length


def lines(shape):
    return shapely.union_all([p for p in shapely.get_parts(shape) if p.length])


test_laws_of_polygons_on_lines = laws(
    LayerCases(
        MustContinueAcross(border=OTHER),
        passes=[([BOX, "POLYGON ((2 0, 4 0, 4 2, 2 2, 2 0))"], ["LINESTRING (2 -9, 2 9)"])],
        fails=[
            (
                [BOX, "POLYGON ((2 0, 4 0, 4 1, 2 1, 2 0))"],
                ["LINESTRING (2 -9, 2 9)"],
                [((0,), LONE, "LINESTRING (2 1, 2 2)", 1)],
            )
        ],
        oracle=of_boxes,
        judges=frozenset({2}),
        against=frozenset({1}),
        shapes=BOXES,
        theirs=PATHS,
        unjudged=["POINT (0 0)"],
    )
)


def judged(shapes, kinds="aaaaaa", **parameters):
    data = memory_vector(
        [shapely.from_wkt(s) for s in shapes], {"kind": list(kinds[: len(shapes)])}
    )
    result, found = run_rule(MustContinueAcross(border=GRID, **parameters), data)
    return result, sorted(zip(found.rows[:, 0].tolist(), found.reasons.tolist(), strict=True))


def test_partners_may_miss_by_the_tolerance_and_ends_the_border_by_within():
    ends = ["LINESTRING (1 1, 1.99 1)", "LINESTRING (2.01 1, 3 1)"]
    assert judged(ends)[1] == []
    assert judged(ends, within=0.02)[1] == [(0, LONE), (1, LONE)]
    assert judged(ends, within=0.02, tolerance=0.02)[1] == []
    edges = [BOX, "POLYGON ((2.01 0, 3 0, 3 2, 2.01 2, 2.01 0))"]
    assert {row for row, _ in judged(edges)[1]} == {0, 1}
    found = judged(edges, within=0.02, tolerance=0.02)[1]
    assert all(reason == LONE for _, reason in found)


def test_an_edge_with_other_values():
    edges = ["POLYGON ((1 0.5, 2 0.5, 2 1.5, 1 1.5, 1 0.5))",
             "POLYGON ((2 0.5, 3 0.5, 3 1.5, 2 1.5, 2 0.5))"]  # fmt: skip
    assert judged(edges, "ab")[1] == []
    assert judged(edges, "ab", match={"kind": "kind"})[1] == [(0, OTHERS), (1, OTHERS)]
    assert judged(edges, "aa", match={"kind": "kind"})[1] == []


def test_tiles_that_are_too_small_are_an_error():
    grid = TileGrid(origin=(0, 0), size=1e-6)
    data = memory_vector([shapely.from_wkt(BOX)])
    result, _ = run_rule(MustContinueAcross(border=grid), data)
    assert (result.status, "tiles of 1e-06" in result.message) == (Status.ERROR, True)
    with pytest.raises(pydantic.ValidationError):
        TileGrid(origin=(0, 0), size=0)
