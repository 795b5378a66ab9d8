"""Geometries compared pair by pair, and the differences drawn."""

import numpy as np
import pytest
import shapely
from hypothesis import given, settings
from hypothesis import strategies as st
from shapely import wkt

from spatial_pipeline.check.geometry.unjudged import THREE_D
from spatial_pipeline.check.join.geometry_difference import difference, drawn

SQUARE = "POLYGON ((0 0, 4 0, 4 4, 0 4, 0 0))"
MULTI = "MULTIPOLYGON (((0 0, 4 0, 4 4, 0 4, 0 0)))"
ROTATED = "POLYGON ((4 4, 4 0, 0 0, 0 4, 4 4))"
DENSER = "POLYGON ((0 0, 2 0, 4 0, 4 4, 0 4, 0 0))"
BOWTIE = "POLYGON ((0 0, 4 4, 4 0, 0 4, 0 0))"
NAN = shapely.Point(float("nan"), 1)


def array(*geometries):
    out = np.empty(len(geometries), dtype=object)
    out[:] = [wkt.loads(g) if isinstance(g, str) else g for g in geometries]
    return out


def judged(here, there, mode, tolerance=0.0):
    found = difference(array(here), array(there), mode, tolerance)
    assert bool(found.differs[0]) == bool(found.kind[0])
    return found.kind[0], None if np.isnan(found.distance[0]) else found.distance[0]


@pytest.mark.parametrize(
    ("here", "there", "exact", "topological", "tolerance"),
    [
        (None, None, "", "", ""),
        (None, SQUARE, *["null here"] * 3),
        (SQUARE, None, *["null in the other"] * 3),
        ("POINT EMPTY", "POINT EMPTY", "", "", ""),
        ("POINT EMPTY", "POLYGON EMPTY", "Point, in the other Polygon", "", ""),
        ("POLYGON EMPTY", SQUARE, *["empty here"] * 3),
        (SQUARE, "POLYGON EMPTY", *["empty in the other"] * 3),
        (SQUARE, SQUARE, "", "", ""),
        (SQUARE, ROTATED, "same place, other vertices", "", ""),
        (SQUARE, DENSER, "same place, other vertices", "", ""),
        (SQUARE, MULTI, "Polygon, in the other MultiPolygon", "", ""),
        ("POINT (1 1)", "MULTIPOINT (1 1)", "Point, in the other MultiPoint", "", ""),
        ("POINT Z (1 1 1)", "POINT (1 1)", "XYZ, in the other XY", "", ""),
        ("POINT M (1 1 1)", "POINT Z (1 1 1)", "XYM, in the other XYZ", "", ""),
        ("POINT Z (1 1 1)", "POINT Z (1 1 2)", "other Z or M", "", ""),
        ("POINT (1 1)", "POINT (1 3)", "moved", "moved", "moved"),
        ("POINT (1 1)", "POINT (1 1.5)", "moved", "moved", ""),
        ("POINT (0 0)", "POINT (-0 0)", "", "", ""),
        (
            "MULTIPOINT (1 1)",
            "POINT (1 3)",
            "moved, MultiPoint, in the other Point",
            "moved",
            "moved",
        ),
        (NAN, NAN, "", "", ""),
        (NAN, "POINT (1 1)", *["NaN or infinite coordinates"] * 3),
        (BOWTIE, "POLYGON ((4 4, 4 0, 0 4, 0 0, 4 4))", "same place, other vertices", "", ""),
        (BOWTIE, SQUARE, "moved", "moved", "moved"),
        (
            SQUARE,
            "LINESTRING (0 0, 4 0, 4 4, 0 4, 0 0)",
            "Polygon, in the other LineString",
            "same place, other vertices",
            "another kind of geometry",
        ),
        (
            "GEOMETRYCOLLECTION (POINT (1 1), LINESTRING (0 0, 1 0))",
            "GEOMETRYCOLLECTION (LINESTRING (1 0, 0 0), POINT (1 1))",
            "same place, other vertices",
            "",
            "",
        ),
    ],
)  # fmt: skip
def test_kinds(here, there, exact, topological, tolerance):
    assert judged(here, there, "exact")[0] == exact
    assert judged(here, there, "topological")[0] == topological
    assert judged(here, there, "tolerance", 1.0)[0] == tolerance


def test_how_far():
    assert judged("POINT (1 1)", "POINT (4 5)", "exact") == ("moved", 5.0)
    assert judged("POINT (1 1)", "POINT (4 5)", "topological") == ("moved", 5.0)
    assert judged("POINT (1 1)", "POINT (4 5)", "tolerance", 4.9) == ("moved", 5.0)
    assert judged("POINT (1 1)", "POINT (4 5)", "tolerance", 5.0) == ("", None)
    assert judged(SQUARE, ROTATED, "exact")[1] == 0
    assert judged(SQUARE, None, "exact")[1] is None


def test_what_is_judged_in_the_plane_is_said():
    here, there = array("POINT Z (1 1 1)", "POINT (1 1)"), array("POINT (1 1)", "POINT (1 1)")
    assert difference(here, there, "topological", 0.0).said[THREE_D] == 1
    assert difference(here, there, "tolerance", 1.0).said[THREE_D] == 1
    assert not difference(here, there, "exact", 0.0).said[THREE_D]


@pytest.mark.parametrize(
    ("here", "there", "expected"),
    [
        ("POINT (1 1)", "POINT (4 5)", "LINESTRING (4 5, 1 1)"),
        ("POINT Z (1 1 1)", "POINT Z (1 1 2)", "POINT Z (1 1 1)"),
        (SQUARE, "POLYGON ((0 0, 5 0, 5 4, 0 4, 0 0))", "POLYGON ((4 0, 4 4, 5 4, 5 0, 4 0))"),
        ("LINESTRING (0 0, 4 0)", "LINESTRING (0 0, 3 0)", "LINESTRING (3 0, 4 0)"),
        (SQUARE, ROTATED, SQUARE),
        (SQUARE, "POINT (1 1)", SQUARE),
        (BOWTIE, SQUARE, BOWTIE),
        (SQUARE, None, SQUARE),
        (None, SQUARE, SQUARE),
        ("POLYGON EMPTY", SQUARE, SQUARE),
        (None, None, None),
        (NAN, "POINT (1 1)", NAN),
    ],
)
def test_drawn(here, there, expected):
    with np.errstate(all="ignore"):
        found = drawn(array(here), array(there))[0]
    wanted = array(expected)[0]
    if wanted is None:
        assert found is None
    else:
        assert found.normalize() == wanted.normalize() or found is wanted


def test_nothing():
    nothing = np.empty(0, object)
    for mode in ("exact", "topological", "tolerance"):
        assert not len(difference(nothing, nothing, mode, 1.0).differs)
    assert not len(drawn(nothing, nothing))


coordinates = st.tuples(st.integers(0, 4), st.integers(0, 4))


@st.composite
def shapes(draw):
    """A shape and a change of it, and whether the change leaves the set of points as it was."""
    kind = draw(st.sampled_from(["points", "line", "polygon"]))
    if kind == "points":
        points = draw(st.lists(coordinates, min_size=1, max_size=4))
        return shapely.MultiPoint(points), shapely.MultiPoint(draw(st.permutations(points)))
    if kind == "line":
        points = draw(st.lists(coordinates, min_size=2, max_size=5))
        return shapely.LineString(points), shapely.LineString(points[::-1])
    ring = draw(st.lists(coordinates, min_size=3, max_size=6))
    k = draw(st.integers(0, len(ring) - 1))
    turned = ring[k:] + ring[: k + 1]
    turned = turned[::-1] if draw(st.booleans()) else turned
    return shapely.Polygon([*ring, ring[0]]), shapely.Polygon(turned)


@settings(max_examples=60, deadline=None)
@given(st.lists(st.tuples(shapes(), shapes()), min_size=1, max_size=6))
def test_topological_against_the_predicate(pairs):
    here, same = (array(*(p[0][i] for p in pairs)) for i in (0, 1))
    other = array(*(p[1][0] for p in pairs))
    assert not difference(here, same, "topological", 0.0).differs.any()
    found = difference(here, other, "topological", 0.0)
    for i, (a, b) in enumerate(zip(here, other, strict=True)):
        if a.is_valid and b.is_valid:
            assert bool(found.differs[i]) == (not shapely.equals(a, b))
    # Nothing is topologically equal that exact comparison tells apart, and the other way around.
    exact = difference(here, other, "exact", 0.0).differs
    assert (exact | ~found.differs).all()
