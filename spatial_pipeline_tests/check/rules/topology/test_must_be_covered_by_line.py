from spatial_pipeline.contract.rules.nodes import MustBeCoveredByLine
from spatial_pipeline_tests.check.geometry.shapes import lines
from spatial_pipeline_tests.check.layer_cases import laws
from spatial_pipeline_tests.check.rules.topology.placed import placed

test_exactly = laws(
    placed(
        MustBeCoveredByLine,
        "not on a line",
        lambda shape: [shape],
        ("MULTIPOINT ((0 0), (1 1))", ["LINESTRING (0 0, 2 2)"]),
        ("MULTIPOINT ((1 1), (1 0))", ["LINESTRING (0 0, 2 2)"], "POINT (1 0)", None),
        against=1,
        theirs=lines(),
    )
)
test_nearly = laws(
    placed(
        MustBeCoveredByLine,
        "not on a line",
        lambda shape: [shape],
        ("POINT (1 0.5)", ["LINESTRING (0 0, 2 0)"]),
        ("POINT (1 0.75)", ["LINESTRING (0 0, 2 0)"], "POINT (1 0.75)", 0.75),
        tolerance=0.5,
        against=1,
        theirs=lines(),
    )
)
