import shapely

from spatial_pipeline.check.join.surroundings import Surroundings
from spatial_pipeline_tests.support import memory_vector


def test_surroundings_in_another_crs() -> None:
    here = memory_vector([shapely.Point(500000, 4649776)], crs="EPSG:32633")
    there = memory_vector(
        [shapely.box(14.9, 41.9, 15.1, 42.1), shapely.box(20, 50, 21, 51)], crs="EPSG:4326"
    )
    around = Surroundings(there, here.profile.pyproj_crs)
    near = around.near(here.batch(0, []), 0.0, [])
    assert near.rows.tolist() == [0]
    assert shapely.intersects(near.geometry[0], shapely.Point(500000, 4649776))
