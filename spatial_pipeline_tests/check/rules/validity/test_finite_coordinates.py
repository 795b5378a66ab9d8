import math

import numpy as np
import shapely
from hypothesis import given, settings
from hypothesis import strategies as st

from spatial_pipeline.check.geometry.finite import not_finite
from spatial_pipeline.contract.rules.validity import FiniteCoordinates
from spatial_pipeline.contract.vocabulary import Status
from spatial_pipeline.model.features import decoded
from spatial_pipeline_tests.check.agreement import everywhere
from spatial_pipeline_tests.check.geometry.shapes import wkb_path, wkb_point
from spatial_pipeline_tests.check.rule_cases import RuleCases, laws

NAN, INF = math.nan, math.inf
CURVE = wkb_path(8, [(0.0, 0.0), (1.0, 1.0), (2.0, 0.0)])


def said(name, value):
    return f"{name} is {'NaN' if math.isnan(value) else 'infinite'}"


def wild(_, shape):
    """Every vertex with a value that is not finite, at the nearest finite one, rather before it."""
    values = shapely.get_coordinates(shape, include_z=shape.has_z, include_m=shape.has_m).tolist()
    names = ["x", "y", *(["z"] if shape.has_z else []), *(["m"] if shape.has_m else [])]
    found = []
    for i, vertex in enumerate(values):
        bad = [(n, v) for n, v in zip(names, vertex, strict=True) if not math.isfinite(v)]
        if bad:
            others = [*values[i::-1], *values[i + 1 :]]
            placed = [shapely.Point(v[:2]) for v in others if all(map(math.isfinite, v[:2]))]
            place = shapely.to_wkt(placed[0]) if placed else None
            found.append((", ".join(said(*b) for b in bad), place, None))
    return found


test_laws = laws(
    RuleCases(
        FiniteCoordinates(),
        passes=["POLYGON ((0 0, 1 0, 1 1, 0 0))", "LINESTRING ZM (0 0 1 2, 1 1 -1e308 4)"],
        fails=[
            (
                wkb_path(2, [(0.0, 0.0), (NAN, 1.0), (2.0, INF)]),
                [("x is NaN", "POINT (0 0)", None), ("y is infinite", "POINT (0 0)", None)],
            ),
            (
                wkb_path(1002, [(0.0, 0.0, NAN), (1.0, 1.0, -INF)]),
                [("z is NaN", "POINT (0 0)", None), ("z is infinite", "POINT (1 1)", None)],
            ),
            (wkb_point(NAN, 1.0), [("x is NaN", None, None)]),
        ],
        oracle=wild,
        keeps={"nan"},
    )
)


def test_every_vertex_is_found_with_its_address():
    shell = [(0.0, 0.0), (4.0, 0.0), (4.0, 4.0), (0.0, 0.0)]
    hole = [(1.0, 1.0), (NAN, 1.0), (2.0, INF), (1.0, 1.0)]
    result, violations = everywhere(FiniteCoordinates(), [wkb_path(3, shell, hole)])
    assert violations == [
        ((0,), "x is NaN", "POINT (1 1)", None, -1, 1, 1),
        ((0,), "y is infinite", "POINT (1 1)", None, -1, 1, 2),
    ]
    assert (result.status, result.violations) == (Status.FAILED, 2)


def test_z_and_m_count():
    line = wkb_path(3002, [(0.0, 0.0, NAN, 1.0), (1.0, 1.0, 0.0, -INF)])
    _, violations = everywhere(FiniteCoordinates(), [wkb_point(0.0, 0.0, INF, code=1001), line])
    assert [f[:3] for f in violations] == [
        ((0,), "z is infinite", "POINT (0 0)"),
        ((1,), "z is NaN", "POINT (0 0)"),
        ((1,), "m is infinite", "POINT (1 1)"),
    ]


def test_m_alone_counts():
    measured = [wkb_point(0.0, 0.0, NAN, code=2001), wkb_point(0.0, 0.0, 1.0, NAN, code=3001)]
    _, violations = everywhere(FiniteCoordinates(), measured)
    assert [f[:2] for f in violations] == [((0,), "m is NaN"), ((1,), "m is NaN")]


def test_a_geometry_that_does_not_decode_for_a_nan_is_judged():
    ring = [(NAN, NAN), (1.0, 0.0), (1.0, 1.0), (NAN, NAN)]
    result, violations = everywhere(FiniteCoordinates(), [wkb_path(3, ring)])
    assert [f[1:] for f in violations] == [
        ("x is NaN, y is NaN", "POINT (1 0)", None, -1, 0, 0),
        ("x is NaN, y is NaN", "POINT (1 1)", None, -1, 0, 3),
    ]
    assert result.checked == 1


def test_what_cannot_be_judged_is_said():
    geometries = [None, shapely.Polygon(), b"\x01", CURVE, shapely.Point(1, 1)]
    result, violations = everywhere(FiniteCoordinates(), geometries)
    assert (result.status, result.checked, violations) == (Status.PASSED, 2, [])
    assert result.message == (
        "2 checked; 1 null geometry not judged; 1 empty geometry not judged; "
        "1 geometry that does not decode not judged"
    )


def test_nowhere_to_show_it():
    _, violations = everywhere(FiniteCoordinates(), [wkb_point(NAN, 1.0), wkb_point(INF, INF)])
    assert [f[:3] for f in violations] == [
        ((0,), "x is NaN", None),
        ((1,), "x is infinite, y is infinite", None),
    ]


COORDINATES = st.sampled_from([0.0, 1.0, 2.5, NAN, INF, -INF])


@settings(max_examples=40, deadline=None)
@given(st.lists(st.lists(st.tuples(*[COORDINATES] * 3), min_size=2, max_size=4), max_size=5))
def test_vertices_are_judged_one_by_one(paths):
    wkb = [wkb_path(1002, path) for path in paths]
    _, violations = everywhere(FiniteCoordinates(), wkb)
    bad = [
        (i, v)
        for i, path in enumerate(paths)
        for v, vertex in enumerate(path)
        if not all(math.isfinite(c) for c in vertex)
    ]
    assert [(f[0][0], f[6]) for f in violations] == bad
    geometry = decoded(np.array([*wkb, None], dtype=object)[:-1])
    assert np.flatnonzero(not_finite(geometry)).tolist() == sorted({i for i, _ in bad})
