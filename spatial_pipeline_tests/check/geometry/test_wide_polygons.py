import numpy as np
import pytest
import shapely
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from shapely.affinity import rotate, translate

from spatial_pipeline.check.geometry import narrow_parts as module
from spatial_pipeline.check.geometry.narrow_parts import by_opening, narrow_parts
from spatial_pipeline.check.geometry.wide_polygons import surely_wide

box = shapely.box
RING = box(0, 0, 9, 9) - box(3, 3, 6, 6)


@pytest.mark.parametrize(
    "shape",
    [
        box(0, 0, 4, 4),
        rotate(box(0, 0, 4, 2), 31),
        # Vertices on walls, as where other buildings stand beside.
        shapely.segmentize(box(0, 0, 4, 4), 0.1),
        shapely.Point(0, 0).buffer(3, quad_segs=64),
        box(0, 0, 9, 9) - shapely.Point(4, 4).buffer(2),
        RING,
    ],
)
def test_common_polygons_are_decided(shape):
    moved = translate(shape, 500_000, 5_000_000)
    assert surely_wide(np.array([shape, moved, shape.reverse()]), 1.0).all()


@pytest.mark.parametrize(
    "shape",
    [
        box(0, 0, 9, 0.9),
        box(0, 0, 4, 4) | box(4, 1, 9, 1.9),
        box(0, 0, 9, 9) - box(0.9, 3, 6, 6),
        box(0, 0, 9, 9) - box(1, 1, 4, 8) - box(4.9, 1, 8, 8),
        shapely.segmentize(box(0, 0, 9, 0.9), 0.05),
        shapely.Point(0, 0).buffer(0.49, quad_segs=64),
    ],
)
def test_narrow_polygons_are_not(shape):
    assert not surely_wide(np.array([shape, shape.reverse()]), 1.0).any()


def test_there_may_be_none():
    assert surely_wide(np.array([], dtype=object), 1.0).tolist() == []
    assert len(narrow_parts(np.array([], dtype=object), 1.0).width) == 0


def test_rings_and_holes_without_number_are_left_to_buffers(monkeypatch):
    monkeypatch.setattr("spatial_pipeline.check.geometry.wide_polygons.RINGS", 1)
    assert surely_wide(np.array([box(0, 0, 4, 4), RING]), 1.0).tolist() == [True, False]
    monkeypatch.setattr("spatial_pipeline.check.geometry.wide_polygons.LARGEST", 3)
    assert not surely_wide(np.array([box(0, 0, 4, 4)]), 1.0).any()
    # Where coordinates are no finer than the width, nothing is sure.
    assert not surely_wide(np.array([translate(box(0, 0, 4, 4), 1e9)]), 1.0).any()


@st.composite
def shapes(draw):
    """A polygon of a kind that is common: with corners, smooth, jagged, with holes, long."""
    random = np.random.default_rng(draw(st.integers(0, 2**32)))
    kind = draw(st.sampled_from(["star", "smooth", "halls", "hull", "holes", "road"]))
    if kind in {"star", "smooth"}:
        count = int(random.integers(3, 14) if kind == "star" else random.integers(20, 80))
        angle = 2 * np.pi * (np.arange(count) + random.uniform(0, 0.8)) / count
        waves = sum(random.normal(0, 1 / j) * np.cos(j * angle + j * j) for j in range(2, 6))
        radius = random.uniform(1, 6, count) if kind == "star" else np.maximum(5 + waves, 0.5)
        shape = shapely.Polygon(np.stack([radius * np.cos(angle), radius * np.sin(angle)], 1))
    elif kind == "halls":
        corner, size = random.integers(0, 8, (4, 2)), random.integers(1, 7, (4, 2))
        shape = shapely.union_all(box(*corner.T, *(corner + size).T))
        shape = rotate(max(shapely.get_parts(shape), key=shapely.area), random.uniform(0, 90))
    elif kind == "hull":
        shape = shapely.MultiPoint(random.uniform(0, 12, (5, 2))).convex_hull
        ring = shapely.get_coordinates(shapely.segmentize(shape, random.uniform(0.3, 4)))[:-1]
        jitter = random.choice([0, 1e-9, 1e-4, 3e-3, 0.02, 0.1])
        shape = shapely.Polygon(ring + random.normal(0, jitter, ring.shape))
    elif kind == "holes":
        discs = shapely.points(random.uniform(0, 12, (3, 2)))
        discs = shapely.buffer(discs, random.uniform(0.3, 3), quad_segs=int(random.integers(1, 8)))
        shape = box(0, 0, 12, 12) - shapely.union_all(discs)
        shape = max(shapely.get_parts(shape), key=shapely.area)
    else:
        line = shapely.LineString(np.cumsum(random.normal(0, 4, (3, 2)), axis=0))
        ends = random.choice(["round", "flat", "square"])
        shape = line.buffer(random.uniform(0.4, 2), quad_segs=3, cap_style=ends)
    return translate(shape, *draw(st.sampled_from([(0, 0), (500_000, 5_000_000)])))


WIDTHS = st.sampled_from([0.2, 0.5, 0.8, 1.2, 2.0])


@settings(max_examples=12, deadline=None, suppress_health_check=list(HealthCheck))
@given(st.lists(shapes(), min_size=4, max_size=8), WIDTHS)
def test_the_opening_finds_the_same(drawn, width):
    polygons = np.array([s for s in drawn if s.is_valid and s.geom_type == "Polygon"], object)
    found = narrow_parts(polygons, width)
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(module, "_suspects", lambda _side, _owner, some, _: np.arange(len(some)))
        expected = by_opening(polygons, width)
    assert found.polygon.tolist() == expected.polygon.tolist()
    assert found.width.tolist() == expected.width.tolist()
    assert shapely.to_wkb(found.shape).tolist() == shapely.to_wkb(expected.shape).tolist()
