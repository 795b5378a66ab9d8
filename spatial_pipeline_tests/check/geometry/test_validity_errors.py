import math

import numpy as np
import pytest
import shapely
from hypothesis import given, settings
from hypothesis import strategies as st

from spatial_pipeline.check.geometry.validity_errors import (
    DUPLICATE_RINGS,
    RING_SELF_INTERSECTION,
    SELF_INTERSECTION,
    TOO_FEW_POINTS,
    defects,
)
from spatial_pipeline.model.features import decoded
from spatial_pipeline_tests.check.geometry.shapes import geometries, polygons, wkb_path

NAN = math.nan
COLLECTION = (
    "GEOMETRYCOLLECTION (POINT (0 0), MULTIPOLYGON (((0 0, 1 0, 1 1, 0 0)), "
    "((9 9, 11 11, 11 9, 9 11, 9 9))), GEOMETRYCOLLECTION (LINESTRING (5 5, 5 5)))"
)


def told(wkt):
    return [
        (d.reason, shapely.to_wkt(d.geometry), d.part, d.ring, d.vertex)
        for d in defects(shapely.from_wkt(wkt))
    ]


@pytest.mark.parametrize(
    ("wkt", "expected"),
    [
        ("POLYGON ((0 0, 1 0, 1 1, 0 0))", []),
        ("POLYGON EMPTY", []),
        ("POINT (0 0)", []),
        ("MULTIPOINT ((0 0), (0 0))", []),
        ("LINESTRING (0 0, 1 1, 0 0)", []),
        (
            "POLYGON ((0 0, 2 2, 2 0, 0 2, 0 0))",
            [(SELF_INTERSECTION, "POINT (1 1)", -1, 0, 0)],
        ),
        (
            "POLYGON ((0 0, 1 2, 2 0, 3 2, 4 0, 4 1, 0 1, 0 0))",
            [
                (SELF_INTERSECTION, "POINT (0.5 1)", -1, 0, 0),
                (SELF_INTERSECTION, "POINT (1.5 1)", -1, 0, 1),
                (SELF_INTERSECTION, "POINT (2.5 1)", -1, 0, 2),
                (SELF_INTERSECTION, "POINT (3.5 1)", -1, 0, 3),
            ],
        ),
        (
            "POLYGON ((0 0, 4 0, 2 2, 4 4, 0 4, 2 2, 0 0))",
            [(RING_SELF_INTERSECTION, "POINT (2 2)", -1, 0, 2)],
        ),
        (
            "POLYGON ((0 0, 2 0, 2 2, 2 4, 2 2, 0 2, 0 0))",
            [(SELF_INTERSECTION, "LINESTRING (2 2, 2 4)", -1, 0, 2)],
        ),
        (
            "POLYGON ((0 0, 4 0, 4 4, 0 4, 0 0), (1 1, 1 1, 1 1, 1 1), (2 2, 3 2, 2 2, 2 2))",
            [
                (TOO_FEW_POINTS, "POINT (1 1)", -1, 1, 0),
                (TOO_FEW_POINTS, "POINT (2 2)", -1, 2, 0),
            ],
        ),
        (
            "POLYGON ((0 0, 4 0, 4 4, 0 4, 0 0), (1 0, 2 0, 2 1, 1 1, 1 0))",
            [(f"{SELF_INTERSECTION} with ring 0", "LINESTRING (1 0, 2 0)", -1, 1, 0)],
        ),
        (
            "POLYGON ((0 0, 9 0, 9 9, 0 9, 0 0), (1 1, 2 1, 2 2, 1 1), (1 1, 2 2, 2 1, 1 1))",
            [
                (
                    f"{DUPLICATE_RINGS} with ring 1",
                    "LINESTRING (1 1, 2 2, 2 1, 1 1)",
                    -1,
                    2,
                    0,
                )
            ],
        ),
        (
            "MULTIPOLYGON (((0 0, 4 0, 4 4, 0 4, 0 0)), ((2 2, 8 2, 8 8, 2 8, 2 2)))",
            [
                (f"{SELF_INTERSECTION} with ring 0 of part 0", "POINT (4 2)", 1, 0, 0),
                (f"{SELF_INTERSECTION} with ring 0 of part 0", "POINT (2 4)", 1, 0, 3),
            ],
        ),
        (
            COLLECTION,
            [
                (SELF_INTERSECTION, "POINT (10 10)", 2, 0, 0),
                (TOO_FEW_POINTS, "POINT (5 5)", 3, -1, 0),
            ],
        ),
    ],
)
def test_all_defects(wkt, expected):
    assert told(wkt) == expected


def test_defects_of_different_kinds_are_all_told():
    wkt = (
        "POLYGON ((0 0, 20 0, 20 20, 0 20, 0 0), (1 1, 5 5, 5 1, 1 5, 1 1), (30 30, 31 30, 31 31, "
        "30 30), (8 8, 14 8, 14 14, 8 14, 8 8), (9 9, 10 9, 10 10, 9 9), (19 10, 22 10, 22 12, "
        "19 12, 19 10))"
    )
    assert sorted({reason for reason, *_ in told(wkt)}) == [
        "Hole lies outside shell",
        "Holes are nested",
        "Self-intersection",
        "Self-intersection with ring 0",
    ]


def test_vertices_that_are_not_finite():
    shell = [(0.0, 0.0), (4.0, 0.0), (4.0, 4.0), (0.0, 0.0)]
    hole = [(1.0, 1.0), (NAN, 1.0), (2.0, math.inf), (1.0, 1.0)]
    wkb = [wkb_path(3, shell, hole), wkb_path(2, [(NAN, 0.0), (1.0, 1.0)])]
    polygon, line = decoded(np.array(wkb, dtype=object))
    found = [(d.reason, d.geometry.wkt, d.ring, d.vertex) for d in defects(polygon)]
    assert found == [
        ("Invalid Coordinate", "POINT (1 1)", 1, 1),
        ("Invalid Coordinate", "POINT (1 1)", 1, 2),
    ]
    assert [(d.geometry.wkt, d.ring, d.vertex) for d in defects(line)] == [("POINT (1 1)", -1, 0)]


@settings(max_examples=150, deadline=None)
@given(geometries(4))
def test_there_are_defects_exactly_where_geos_says_invalid(geometry):
    assert bool(defects(geometry)) is not bool(shapely.is_valid(geometry))


@settings(max_examples=150, deadline=None)
@given(
    st.one_of(
        polygons(5, holes=3), st.lists(polygons(5, holes=1), max_size=3).map(shapely.MultiPolygon)
    )
)
def test_the_defect_that_geos_names_is_among_them(geometry):
    reason, _, place = shapely.is_valid_reason(geometry).partition("[")
    found = defects(geometry)
    if reason in {
        "Self-intersection",
        "Ring Self-intersection",
        "Too few points in geometry component",
    }:
        point = shapely.Point([float(v) for v in place.rstrip("]").split()])
        assert min(d.geometry.distance(point) for d in found) < 1e-9
    elif reason != "Valid Geometry":
        # GEOS looks for misplaced rings before it looks at all crossings.
        assert any(d.reason == reason or d.reason.startswith(SELF_INTERSECTION) for d in found)


@settings(max_examples=100, deadline=None)
@given(polygons(5, holes=2), st.sampled_from([0.5, 4.0, 1024.0]))
def test_defects_do_not_depend_on_scale(polygon, scale):
    larger = shapely.transform(polygon, lambda xy: xy * scale)
    one, two = (
        [(d.reason, d.part, d.ring, d.vertex) for d in defects(g)] for g in (polygon, larger)
    )
    assert one == two
