import numpy as np
import pytest
import shapely
from hypothesis import given, settings
from hypothesis import strategies as st

from spatial_pipeline.check.geometry.measures import measures

SHAPES = np.array(
    [shapely.box(0, 0, 4, 2), shapely.LineString([(0, 0, 1), (3, 4, 3)]), None, shapely.Point()],
    dtype=object,
)


@pytest.mark.parametrize(
    ("kind", "expected"),
    [
        ("area", [8, 0]), ("length", [12, 5]), ("x", [2, 1.5]), ("y", [1, 2]),
        ("z", [np.nan, 2]), ("vertices", [5, 2]),
    ],
)  # fmt: skip
def test_one_number_a_geometry_and_none_for_null_and_empty(kind, expected):
    np.testing.assert_array_equal(measures(SHAPES, kind), [*expected, np.nan, np.nan])


@settings(max_examples=30, deadline=None)
@given(st.lists(st.tuples(*[st.floats(-1e6, 1e6)] * 3), min_size=2, max_size=6, unique=True))
def test_the_mean_of_z_is_that_of_the_vertices(vertices):
    (found,) = measures(np.array([shapely.LineString(vertices)], dtype=object), "z")
    assert found == pytest.approx(np.mean([z for _, _, z in vertices]), abs=1e-9)
