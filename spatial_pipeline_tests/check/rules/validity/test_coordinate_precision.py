from decimal import Decimal
from fractions import Fraction

import pytest
import shapely
from hypothesis import given, settings
from hypothesis import strategies as st

from spatial_pipeline.contract.rules.vertices import CoordinatePrecision
from spatial_pipeline_tests.check.agreement import everywhere
from spatial_pipeline_tests.check.rule_cases import RuleCases, laws
from spatial_pipeline_tests.check.vertex_oracles import paths

OFF = "LINESTRING (0 0, 3 0.75)"


def off(rule, shape):
    told = []
    for name in ("Point", "LineString", "Polygon"):
        for path in paths(shape, name):
            for place in path[:-1] if name == "Polygon" else path:
                far = max(abs(float(Fraction(v) - round(Fraction(v) / 2) * 2)) for v in place)
                if far:
                    told.append(("off the grid of 2 m", shapely.Point(place).wkt, far))
    return told


def more(rule, shape):
    places = [
        place
        for name in ("Point", "LineString", "Polygon")
        for path in paths(shape, name)
        for place in (path[:-1] if name == "Polygon" else path)
    ]
    return [
        ("more than 0 decimals", shapely.Point(p).wkt, 0.25)
        for p in places
        if any(Decimal(v).normalize().as_tuple().exponent < 0 for v in p)
    ]


test_laws_grid = laws(
    RuleCases(
        CoordinatePrecision(grid=2),
        passes=["LINESTRING (0 0, 4 2)", "POLYGON ((0 0, 2 0, 2 2, 0 0))"],
        fails=[("POLYGON ((1 0, 2 0, 2 2, 1 0))", [("off the grid of 2 m", "POINT (1 0)", 1)])],
        oracle=off,
    )
)
test_laws_decimals = laws(
    RuleCases(
        CoordinatePrecision(max_decimals=0),
        passes=["POINT (1 123456)"],
        fails=[(OFF, [("more than 0 decimals", "POINT (3 0.75)", 0.25)])],
        oracle=more,
    )
)


@settings(deadline=None, max_examples=30)
@given(st.integers(-(10**12), 10**12), st.integers(0, 6))
def test_numbers_of_few_decimals_are_never_off(number, decimals):
    shapes = [shapely.Point(number / 10**decimals, 0)]
    few = CoordinatePrecision(max_decimals=decimals, grid=1 / 10**decimals)
    assert everywhere(few, shapes)[1] == []
    beside = [shapely.Point((number + 0.25) / 10**decimals, 0)]
    assert len(everywhere(few, beside)[1]) == 2


def test_each_vertex_of_a_ring_is_named_once():
    ring = shapely.Polygon([(0.5, 0), (2, 0), (2, 2)])
    _, violations = everywhere(CoordinatePrecision(max_decimals=0), [ring])
    assert [(f[3], *f[4:]) for f in violations] == [(0.5, 0, 0, 0)]


def test_one_of_grid_and_decimals_is_needed():
    with pytest.raises(ValueError, match="give grid, max_decimals or both"):
        CoordinatePrecision()


@settings(deadline=None, max_examples=30)
@given(st.floats(1, 1e9))
def test_no_number_has_more_decimals_than_can_be_stored(value):
    assert everywhere(CoordinatePrecision(max_decimals=17), [shapely.Point(value, 0)])[1] == []
