import math

import numpy as np
import shapely
from hypothesis import given
from hypothesis import strategies as st

from spatial_pipeline.check.geometry.hull_width import hull_widths
from spatial_pipeline_tests.check.geometry.shapes import polygons


def across(shape, angle):
    """Extent in one direction."""
    x, y = shapely.get_coordinates(shape.exterior).T
    along = x * math.cos(angle) + y * math.sin(angle)
    return along.max() - along.min()


@given(st.lists(polygons(), min_size=1, max_size=4))
def test_no_direction_is_narrower(shapes):
    found = hull_widths(np.array([*shapes, None], dtype=object)[:-1])
    angles = np.linspace(0, math.pi, 721)
    for shape, width in zip(shapes, found.tolist(), strict=True):
        sampled = min(across(shape, a) for a in angles)
        assert width <= sampled + 1e-9
        # Between two samples the extent changes by less than the size of the shape times the step.
        assert sampled <= width + 6 * math.pi / 720 + 1e-9
