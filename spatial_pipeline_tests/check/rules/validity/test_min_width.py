import numpy as np
import pydantic
import pytest
import shapely
from hypothesis import HealthCheck, example, given, settings
from hypothesis import strategies as st
from shapely.affinity import rotate, scale, translate

from spatial_pipeline.check.geometry.narrow_parts import narrow_parts
from spatial_pipeline.contract.rules.vertices import MinWidth
from spatial_pipeline.contract.vocabulary import Status
from spatial_pipeline_tests.check.agreement import everywhere
from spatial_pipeline_tests.support import memory_vector, run_rule

box = shapely.box
ROOMS = box(0, 0, 4, 4) | box(8, 0, 12, 4)


def widths(shape, value=1.0, **options):
    """Widths of the narrow parts, by the rule, the same for every cut."""
    _, found = everywhere(MinWidth(value=value), [shape], **options)
    assert all(f[1] == "narrow" for f in found)
    return sorted(round(f[3], 6) for f in found)


def corridor(width):
    return ROOMS | box(4, 1.5, 8, 1.5 + width)


def hourglass(width):
    w = width / 2
    return shapely.Polygon([(0, 0), (10, 0), (5 + w, 5), (10, 10), (0, 10), (5 - w, 5)])


@pytest.mark.parametrize(
    "shape",
    [
        box(0, 0, 1, 1),
        box(0, 0, 30, 1),
        corridor(1),
        hourglass(1),
        box(0, 0, 4, 4) | box(4, 1, 9, 2),
        # Convex corners are no narrow parts, however acute.
        shapely.Polygon([(0, 0), (20, 2), (20, -2)]),
        box(0, 0, 4, 4) | box(4, 1, 4.4, 1.5),
        shapely.Point(0, 0).buffer(3),
        box(0, 0, 9, 9) - box(1, 1, 8, 8),
        box(0, 0, 9, 9) - shapely.Point(4, 4).buffer(3),
    ],
)
def test_wide_polygons_pass(shape):
    assert widths(shape) == []
    assert widths(translate(shape, 400_000, 5_000_000)) == []


def test_the_narrow_part_itself_is_the_defect():
    _, (found,) = everywhere(MinWidth(value=1), [corridor(0.5)])
    rows, reason, wkt, width, part, *_ = found
    assert (rows, reason, round(width, 12), part) == ((0,), "narrow", 0.5, 0)
    defect = shapely.from_wkt(wkt)
    # Discs reach a little into the corridor.
    assert box(4, 1.5, 8, 2).buffer(1e-9).covers(defect)
    assert defect.covers(box(4.3, 1.5, 7.7, 2).buffer(-1e-9))


@pytest.mark.parametrize(
    ("shape", "expected"),
    [
        (corridor(0.999), [0.999]),
        (hourglass(0.6), [0.6]),
        (box(0, 0, 4, 4) | box(4, 1, 9, 1.5), [0.5]),
        (box(0, 0, 10, 0.9), [0.9]),
        (box(0, 0, 9, 9) - box(0.5, 4, 6, 6), [0.5]),
        # A wall and a vertex, and two round walls.
        (shapely.Polygon([(0, 0), (10, 0), (10, 10), (0, 10), (0, 6), (9.3, 5), (0, 4)]), [0.7]),
        (box(0, 0, 10, 4) - shapely.Point(5, 4).buffer(3.4), [0.6]),
        (shapely.MultiPolygon([box(0, 0, 4, 4), box(9, 0, 13, 0.25)]), [0.25]),
        (ROOMS | box(4, 0, 8, 0.5) | box(4, 3, 8, 3.75), [0.5, 0.75]),
        # Two corners that overlap a little: discs of either room cover all of it.
        (box(0, 0, 4, 3) | box(3.2, 2.6, 8, 6), [0.894427]),
        (box(0, 0, 4, 3) | box(3.2, 2.6, 8, 6) | box(7.5, 0, 12, 3.2), [0.781025, 0.894427]),
    ],
)
def test_narrow_parts_are_measured(shape, expected):
    assert widths(shape) == expected
    assert widths(rotate(scale(shape, 4, 4), 31), 4.0) == pytest.approx([4 * w for w in expected])


def test_the_part_is_named():
    shape = shapely.MultiPolygon([box(0, 0, 4, 4), box(9, 0, 13, 0.25)])
    _, ((_, _, wkt, _, part, *_),) = everywhere(MinWidth(value=1), [shape])
    assert part == 1
    assert shapely.from_wkt(wkt).equals(box(9, 0, 13, 0.25))


def test_others_are_not_judged():
    bow_tie = shapely.Polygon([(0, 0), (1, 1), (1, 0), (0, 1)])
    shapes = [None, shapely.Polygon(), bow_tie, shapely.Point(0, 0), box(0, 0, 2, 2)]
    result, found = everywhere(MinWidth(value=1), shapes)
    assert (result.status, result.checked, found) == (Status.PASSED, 1, [])
    assert result.message.count("not judged") == 4
    assert everywhere(MinWidth(value=1), [])[0].passed
    result, _ = run_rule(MinWidth(value=1), memory_vector([box(0, 0, 2, 2)], crs="EPSG:4326"))
    assert "value in degrees" in result.message
    with pytest.raises(pydantic.ValidationError):
        MinWidth(value=0)


BOXES = st.tuples(*[st.integers(0, 12)] * 2, *[st.integers(1, 8)] * 2).map(
    lambda c: box(c[0] / 2, c[1] / 2, c[0] / 2 + c[2] / 4, c[1] / 2 + c[3] / 4)
)
HALLS = st.lists(BOXES, min_size=1, max_size=5).map(
    lambda several: max(shapely.get_parts(shapely.union_all(several)), key=lambda p: p.area)
)
"""Polygons with right angles, so that what a corner leaves out is known."""


def reached(shape, points, diameter):
    """(n,) bool: points in a disc of this diameter inside a polygon, by a grid of centres."""
    step = diameter / 24
    xmin, ymin, xmax, ymax = shape.bounds
    x, y = np.meshgrid(np.arange(xmin, xmax + step, step), np.arange(ymin, ymax + step, step))
    centres = np.stack([x.ravel(), y.ravel()], axis=1)
    held = shapely.intersects_xy(shape, centres)
    free = shapely.distance(shape.boundary, shapely.points(centres))
    good = centres[held & (free >= diameter / 2)]
    gap = np.hypot(*(points[:, None] - good[None]).transpose(2, 0, 1))
    return (gap <= diameter / 2).any(axis=1) if len(good) else np.zeros(len(points), dtype=bool)


@settings(max_examples=40, deadline=None, suppress_health_check=list(HealthCheck))
@example(box(5.5, 0.5, 6.5, 1.25) | box(6, 0, 6.75, 0.75), 0.6, 0)
@given(HALLS, st.sampled_from([0.4, 0.6, 1.1]), st.integers(0, 2**16))
def test_what_no_disc_reaches_is_found_and_nothing_else(shape, value, seed):
    found = narrow_parts(np.array([shape], dtype=object), value)
    random = np.random.default_rng(seed)
    xmin, ymin, xmax, ymax = shape.bounds
    points = random.uniform((xmin, ymin), (xmax, ymax), (300, 2))
    points = points[shapely.intersects_xy(shape, points)]
    areas = [p for p in found.shape if p.geom_type == "Polygon"]
    inside = shapely.intersects_xy(shapely.union_all(areas).buffer(-value / 50), points)
    # No disc that is a little larger reaches into a narrow part.
    assert not (inside & reached(shape, points, value * 1.02)).any()
    # What lies far from all smaller discs is in a narrow part.
    small = shape.buffer(-value * 0.47).buffer(value * 0.47)
    far = shapely.distance(small, shapely.points(points)) > value * 0.56
    covered = shapely.intersects_xy(shapely.union_all(areas).buffer(value / 50), points)
    assert (covered | ~far).all()
    # A polygon that falls apart when it shrinks has a neck or a pinch.
    pieces = len(shapely.get_parts(shape.buffer(-value * 0.49)))
    assert pieces == 1 or len(found.width)
    assert (found.width < value).all()
