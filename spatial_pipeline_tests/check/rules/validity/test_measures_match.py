import pydantic
import pytest
import shapely

from spatial_pipeline.contract.rules.vertices import MeasuresMatch
from spatial_pipeline.contract.vocabulary import Status
from spatial_pipeline_tests.check.agreement import everywhere
from spatial_pipeline_tests.check.rule_cases import RuleCases, laws

GOOD = "POLYGON ((0 0, 2 0, 2 2, 0 2, 0 0))"
LARGE = "POLYGON ((0 0, 3 0, 3 3, 0 3, 0 0))"


def different(_, shape):
    told = [("m2", "area", 4.0 - shape.area), ("edge", "perimeter", 8.0 - shape.length)]
    return [(f"{column} is not the {name}", shape.wkt, d) for column, name, d in told if d]


test_laws = laws(
    RuleCases(
        MeasuresMatch(columns={"area": "m2", "perimeter": "edge"}),
        passes=[GOOD],
        fails=[
            (LARGE, [("m2 is not the area", LARGE, -5), ("edge is not the perimeter", LARGE, -4)])
        ],
        oracle=different,
        columns={"m2": 4, "edge": 8.0},
    )
)


@pytest.mark.parametrize(
    ("tolerance", "found"),
    [
        ({}, [(0,), (1,)]),
        ({"absolute": 0.5}, [(1,)]),
        ({"relative": 0.125}, [(1,)]),
        ({"relative": 0.25, "absolute": 0.1}, []),
    ],
)
def test_what_is_accepted(tolerance, found):
    rule = MeasuresMatch(columns={"area": "m2"}, tolerance=tolerance)
    shapes = [shapely.from_wkt(GOOD)] * 3
    _, violations = everywhere(rule, shapes, {"m2": [4.5, 3.0, 4.0]})
    assert [f[0] for f in violations] == found


def test_places_and_degrees():
    rule = MeasuresMatch(
        columns={"x": "x", "y": "y", "lon": "lon", "lat": "lat"}, tolerance={"absolute": 1e-6}
    )
    shapes = [shapely.Point(500_000, 0)] * 2
    columns = {"x": [5e5, 5e5], "y": [0.0, 1.0], "lon": [15.0, 15.0], "lat": [0.0, 0.5]}
    _, violations = everywhere(rule, shapes, columns)
    assert [(f[0], f[1]) for f in violations] == [
        ((1,), "lat is not the lat"),
        ((1,), "y is not the y"),
    ]


def test_null_is_no_measure_and_text_is_an_error():
    rule = MeasuresMatch(columns={"area": "m2"})
    shapes = [shapely.from_wkt(GOOD)] * 2
    _, violations = everywhere(rule, shapes, {"m2": [None, 4.0]})
    assert [(f[0], f[1]) for f in violations] == [((0,), "m2 is null")]
    result, _ = everywhere(rule, shapes, {"m2": ["four", "4"]})
    assert (result.status, "m2 is no column of numbers" in result.message) == (Status.ERROR, True)


def test_a_column_must_be_named():
    with pytest.raises(pydantic.ValidationError, match="name a column for one of area, length"):
        MeasuresMatch(columns={})
