from spatial_pipeline.contract.rules.nodes import MustBeCoveredByBoundary
from spatial_pipeline_tests.check.geometry.shapes import polygons
from spatial_pipeline_tests.check.layer_cases import laws
from spatial_pipeline_tests.check.rules.topology.placed import placed

test_exactly = laws(
    placed(
        MustBeCoveredByBoundary,
        "not on a boundary",
        lambda shape: [shape.boundary],
        ("POINT (0 1)", ["POLYGON ((0 0, 2 0, 2 2, 0 2, 0 0))"]),
        ("POINT (1 1)", ["POLYGON ((0 0, 2 0, 2 2, 0 2, 0 0))"], "POINT (1 1)", None),
        against=2,
        theirs=polygons(),
    )
)
test_nearly = laws(
    placed(
        MustBeCoveredByBoundary,
        "not on a boundary",
        lambda shape: [shape.boundary],
        ("POINT (0.5 1)", ["POLYGON ((0 0, 2 0, 2 2, 0 2, 0 0))"]),
        ("POINT (3 1)", ["POLYGON ((0 0, 2 0, 2 2, 0 2, 0 0))"], "POINT (3 1)", 1),
        tolerance=0.5,
        against=2,
        theirs=polygons(),
    )
)
