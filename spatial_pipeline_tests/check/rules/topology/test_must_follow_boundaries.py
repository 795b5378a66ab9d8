import shapely

from spatial_pipeline.contract.rules.boundaries import MustFollowBoundaries
from spatial_pipeline_tests.check.layer_cases import laws
from spatial_pipeline_tests.check.rules.topology.covered import BOX, covered

test_laws = laws(
    covered(
        MustFollowBoundaries,
        lambda line: line,
        shapely.boundary,
        ("LINESTRING (0 0, 2 0, 2 1)", [BOX]),
        ("LINESTRING (0 0, 2 0, 5 0)", [BOX], "LINESTRING (2 0, 5 0)", 3),
        judges=1,
        against=2,
    )
)
