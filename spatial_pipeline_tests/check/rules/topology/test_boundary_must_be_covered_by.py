import shapely

from spatial_pipeline.contract.rules.boundaries import BoundaryMustBeCoveredBy
from spatial_pipeline_tests.check.layer_cases import laws
from spatial_pipeline_tests.check.rules.topology.covered import BOX, covered

test_laws = laws(
    covered(
        BoundaryMustBeCoveredBy,
        shapely.boundary,
        lambda line: line,
        (BOX, ["LINESTRING (0 0, 2 0, 2 2)", "LINESTRING (2 2, 0 2, 0 -5)"]),
        (BOX, ["LINESTRING (0 0, 2 0, 2 2, 0 2)", "POINT (0 1)"], "LINESTRING (0 2, 0 0)", 2),
        judges=2,
        against=1,
    )
)
