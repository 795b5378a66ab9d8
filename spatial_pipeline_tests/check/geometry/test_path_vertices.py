import numpy as np
import shapely
from hypothesis import given
from hypothesis import strategies as st

from spatial_pipeline.check.geometry.parts import simple_parts
from spatial_pipeline.check.geometry.path_vertices import Corners, PathVertices
from spatial_pipeline_tests.check.geometry.shapes import geometries
from spatial_pipeline_tests.check.vertex_oracles import corners, paths

ALL = ("Point", "LineString", "Polygon")


def table(shapes):
    array = np.array([*shapes, None], dtype=object)[:-1]
    return PathVertices.of(simple_parts(array, 0, 1, 2))


@given(st.lists(geometries(), max_size=5))
def test_every_vertex_has_its_address(shapes):
    found = table(shapes)
    expected = [
        (i, vertex, place)
        for i, shape in enumerate(shapes)
        for path in paths(shape, *ALL)
        for vertex, place in enumerate(path)
    ]
    told = zip(
        found.feature.tolist(), found.vertex.tolist(), map(tuple, found.xy.tolist()), strict=True
    )
    assert list(told) == expected
    assert int(found.last.sum()) == sum(len(list(paths(s, *ALL))) for s in shapes)


@given(st.lists(geometries(), max_size=5))
def test_corners_are_between_other_places(shapes):
    vertices = table(shapes)
    found = Corners.of(vertices)
    told = [
        tuple(tuple(vertices.xy[i].tolist()) for i in three)
        for three in zip(found.before, found.at, found.after, strict=True)
    ]
    assert sorted(told) == sorted(corner for shape in shapes for corner in corners(shape))


def test_parts_rings_and_depth():
    ring = shapely.Polygon([(0, 0), (9, 0), (9, 9)], [[(5, 1), (6, 1), (6, 2)]])
    deep = shapely.Point(1, 2, 3)
    found = table([shapely.GeometryCollection([deep, ring])])
    assert found.part.tolist() == [0] + [1] * 8
    assert found.ring.tolist() == [-1] + [0] * 4 + [1] * 4
    assert found.xyzm[0, :3].tolist() == [1, 2, 3]
    assert np.isnan(found.xyzm[0, 3])
