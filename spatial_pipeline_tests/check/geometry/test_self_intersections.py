import numpy as np
import shapely
from hypothesis import given, settings
from hypothesis import strategies as st

from spatial_pipeline.check.geometry.parts import simple_parts
from spatial_pipeline.check.geometry.path_vertices import PathVertices
from spatial_pipeline.check.geometry.self_intersections import not_simple, self_intersections

COORDINATES = st.integers(0, 3) | st.integers(0, 300).map(lambda n: n / 97)
PATHS = st.lists(st.tuples(COORDINATES, COORDINATES), min_size=2, max_size=6).map(
    shapely.LineString
)
LINES = st.lists(PATHS.filter(lambda p: p.is_valid), min_size=1, max_size=3).map(
    shapely.MultiLineString
)


@settings(max_examples=40, deadline=None)
@given(st.lists(LINES | st.just(shapely.Point(0, 0)), max_size=5))
def test_only_lines_that_are_not_simple_meet_themselves(drawn):
    shapes = np.array([*drawn, None], dtype=object)[:-1]
    lines = simple_parts(shapes, 1)
    vertices = PathVertices.of(lines)
    chosen = not_simple(lines, len(shapes))
    assert chosen.tolist() == [s.geom_type != "Point" and not s.is_simple for s in drawn]
    some, every = (
        self_intersections(vertices, mask) for mask in (chosen, np.ones(len(shapes), dtype=bool))
    )
    assert some.start.tolist() == every.start.tolist()
    assert shapely.to_wkb(some.geometry).tolist() == shapely.to_wkb(every.geometry).tolist()
