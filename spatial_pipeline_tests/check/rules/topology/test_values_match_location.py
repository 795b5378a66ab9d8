import pydantic
import pytest
import shapely
from hypothesis import strategies as st

from spatial_pipeline.contract.rules.base import OtherSource
from spatial_pipeline.contract.rules.boundaries import ValuesMatchLocation
from spatial_pipeline_tests.check.layer_cases import SINGLE, LayerCases, laws
from spatial_pipeline_tests.check.rules.topology.covered import BOX, BOXES
from spatial_pipeline_tests.support import memory_vector, run_rule

TOWNS, AREAS = ["a", "b", None], ["a", "b"]


def size(shape, dimension):
    return (shapely.get_num_coordinates(shape), shape.length, shape.area)[dimension]


def oracle(rule, own, other):
    for row, shape in own.items():
        dimension = shapely.get_dimensions(shape)
        parts = {j: size(shape.intersection(area), dimension) for j, area in other.items()}
        mine = TOWNS[row % 3]
        share = sum(n for j, n in parts.items() if AREAS[j % 2] == mine) / size(shape, dimension)
        if share < rule.min_share - 1e-9:
            reason = "other value there" if any(parts.values()) else "nothing there"
            yield (row,), reason, shape, share


def nearest(rule, own, other):
    for row, shape in own.items():
        gaps = {j: shape.distance(area) for j, area in other.items()}
        least = min(gaps.values(), default=9.0)
        near = [j for j, gap in gaps.items() if gap == least <= rule.max_distance]
        if any(AREAS[j % 2] == TOWNS[row % 3] for j in near):
            continue
        if near:
            line = shapely.shortest_line(shape, other[near[0]])
            yield (row, near[0]), "other value there", line, least
        else:
            yield (row,), "nothing there", shape, None


RIGHT = "POLYGON ((2 0, 4 0, 4 2, 2 2, 2 0))"
test_laws = laws(
    LayerCases(
        ValuesMatchLocation(other=OtherSource(uri="areas"), values={"town": "name"}),
        passes=[(["POINT (1 1)", "LINESTRING (2 1, 3 1)"], [BOX, RIGHT])],
        fails=[
            (
                ["LINESTRING (1 1, 3 1)", "POINT (1 1)", "POINT (9 9)"],
                [BOX, RIGHT],
                [
                    ((0,), "other value there", "LINESTRING (1 1, 3 1)", 0.5),
                    ((1,), "other value there", "POINT (1 1)", 0),
                    ((2,), "nothing there", "POINT (9 9)", 0),
                ],
            )
        ],
        oracle=oracle,
        against=frozenset({2}),
        shapes=SINGLE,
        theirs=BOXES,
        columns={"town": TOWNS},
        other_columns={"name": AREAS},
    )
)


def test_a_smaller_share_is_enough():
    data = memory_vector([shapely.box(1, 0, 4, 1)], {"town": ["b"]})
    areas = memory_vector([shapely.from_wkt(w) for w in (BOX, RIGHT)], {"name": AREAS})
    for share, found in ((0.66, 0), (0.67, 1)):
        rule = ValuesMatchLocation(
            other=OtherSource(uri="areas"), values={"town": "name"}, min_share=share
        )
        assert len(run_rule(rule, data, areas)[1]) == found


test_laws_of_the_nearest = laws(
    LayerCases(
        ValuesMatchLocation(
            other=OtherSource(uri="areas"), values={"town": "name"}, side="nearest", max_distance=1
        ),
        passes=[(["POINT (-1 1)", "LINESTRING (5 1, 6 1)"], [BOX, RIGHT])],
        fails=[
            (
                ["POINT (-2 1)", "POINT (-1 1)"],
                [BOX, RIGHT],
                [
                    ((0,), "nothing there", "POINT (-2 1)", None),
                    ((1, 0), "other value there", "LINESTRING (-1 1, 0 1)", 1),
                ],
            )
        ],
        oracle=nearest,
        against=frozenset({2}),
        shapes=st.tuples(st.integers(-2, 6), st.integers(-2, 6)).map(shapely.Point),
        theirs=BOXES,
        columns={"town": TOWNS},
        other_columns={"name": AREAS},
    )
)


def beside(line, side, town="a", **parameters):
    data = memory_vector([shapely.from_wkt(line)], {"town": [town]})
    areas = memory_vector([shapely.from_wkt(w) for w in (BOX, RIGHT)], {"name": AREAS})
    rule = ValuesMatchLocation(
        other=OtherSource(uri="areas"), values={"town": "name"}, side=side, max_distance=0.5,
        **parameters,
    )  # fmt: skip
    return run_rule(rule, data, areas)


@pytest.mark.parametrize("line", ["LINESTRING (2 0, 2 2)", "LINESTRING (2 0, 2 1, 2 2)"])
def test_the_sides_of_a_line_on_a_boundary(line):
    assert beside(line, "left", "a")[0].passed
    assert beside(line, "right", "b")[0].passed
    for side, town in (("left", "b"), ("right", "a")):
        result, violations = beside(line, side, town)
        assert not result.passed
        assert (violations.reasons.tolist(), violations.measure.tolist()) == (
            ["other value there"], [0],
        )  # fmt: skip
        assert violations.geometry[0].wkt == shapely.from_wkt(line).wkt
    # Half of this line has nothing on its right.
    result, violations = beside("LINESTRING (0 2, 2 2, 2 4)", "right", "a", min_share=0.4)
    assert result.passed


def test_only_lines_have_sides():
    assert "only lines have sides" in beside("POINT (1 1)", "left")[0].message
    for wrong in ({"side": "left"}, {"max_distance": 1}, {"side": "nearest", "max_distance": 0}):
        with pytest.raises(pydantic.ValidationError):
            ValuesMatchLocation(other=OtherSource(uri="areas"), values={"town": "name"}, **wrong)
