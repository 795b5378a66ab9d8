import numpy as np
import pytest
import shapely
from hypothesis import given, settings
from hypothesis import strategies as st

from spatial_pipeline.check.coverage import difference_with_union
from spatial_pipeline.check.coverage.area_difference import areas_without
from spatial_pipeline.check.coverage.difference_with_union import uncovered
from spatial_pipeline.check.geometry.eligible import POLYGON

SIDE = 6


@st.composite
def layers(draw):
    """Cells of a grid with defects, and polygons over them."""
    random = np.random.default_rng(draw(st.integers(0, 2**32)))
    x, y = (a.ravel() for a in np.meshgrid(np.arange(SIDE), np.arange(SIDE)))
    cells = shapely.box(x, y, x + 1, y + 1)
    cells[::3] = shapely.reverse(cells[::3])
    for i in random.integers(0, len(cells), draw(st.integers(0, 4))).tolist():
        defect = draw(st.sampled_from(["gone", "moved", "twice", "hole", "large", "vertex"]))
        if defect == "gone":
            cells[i] = shapely.box(20, 20, 21, 21)
        elif defect == "moved":
            cells[i] = shapely.affinity.translate(cells[i], 0.3, 0.2)
        elif defect == "twice":
            cells[i] = cells[i - 1]
        elif defect == "hole":
            cells[i] = cells[i].buffer(0) - shapely.centroid(cells[i]).buffer(0.2)
        elif defect == "large":
            cells[i] = shapely.box(x[i], y[i], x[i] + 2, y[i] + 2)
        else:
            cells[i] = shapely.segmentize(cells[i], 0.5)
    corner = random.uniform(-1, 5, (3, 2))
    free = shapely.box(*corner.T, *(corner + random.uniform(0.5, 6, (3, 2))).T)
    whole = [shapely.box(0, 0, SIDE, SIDE), shapely.Point(3, 3).buffer(2.5)]
    return np.array([*free, *whole, whole[0] - whole[1]], object), cells


@settings(max_examples=25, deadline=None)
@given(layers())
def test_it_is_the_difference_with_the_union(drawn):
    features, covers = drawn
    feature, cover = shapely.STRtree(covers).query(features, predicate="intersects")
    found = areas_without(features, covers, feature, cover)
    for shape, rest in zip(features, found, strict=True):
        expected = shape.difference(shapely.union_all(covers))
        rest = shapely.Polygon() if rest is None else rest
        assert rest.symmetric_difference(expected).area < 1e-12
        parts = [[p for p in shapely.get_parts(some) if p.area > 1e-9] for some in (rest, expected)]
        assert len(parts[0]) == len(parts[1])


@settings(max_examples=10, deadline=None)
@given(layers())
def test_the_number_of_covers_makes_no_difference(drawn):
    features, covers = drawn
    answers = []
    for many in (1, 8, 10**6):
        with pytest.MonkeyPatch.context() as patch:
            patch.setattr(difference_with_union, "MANY", many)
            rest, size = uncovered(features.copy(), [covers.copy()], POLYGON, 0.0)
        answers.append((shapely.to_wkt(rest, 9).tolist(), size))
    for text, size in answers[:-1]:
        assert text == answers[-1][0]
        np.testing.assert_allclose(size, answers[-1][1], rtol=1e-9)
