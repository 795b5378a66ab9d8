import shapely

from spatial_pipeline.contract.rules.boundaries import AreaBoundaryMustBeCoveredByBoundary
from spatial_pipeline_tests.check.layer_cases import laws
from spatial_pipeline_tests.check.rules.topology.covered import BOX, covered

test_laws = laws(
    covered(
        AreaBoundaryMustBeCoveredByBoundary,
        shapely.boundary,
        shapely.boundary,
        (BOX, [BOX, "POLYGON ((0 0, 9 0, 9 9, 0 9, 0 0))"]),
        (BOX, ["POLYGON ((0 0, 3 0, 3 2, 0 2, 0 0))"], "LINESTRING (2 0, 2 2)", 2),
        judges=2,
        against=2,
    )
)
