import shapely

from spatial_pipeline.contract.rules.nodes import MustBeCoveredByEndpoint
from spatial_pipeline_tests.check.geometry.shapes import lines
from spatial_pipeline_tests.check.layer_cases import laws
from spatial_pipeline_tests.check.rules.topology.placed import placed


def ends(line):
    return [shapely.Point(line.coords[0]), shapely.Point(line.coords[-1])]


test_exactly = laws(
    placed(
        MustBeCoveredByEndpoint,
        "not on an end of a line",
        ends,
        ("POINT (2 2)", ["LINESTRING (0 0, 2 2)"]),
        ("POINT (1 1)", ["LINESTRING (0 0, 1 1, 2 2)"], "POINT (1 1)", None),
        against=1,
        theirs=lines(),
    )
)
test_nearly = laws(
    placed(
        MustBeCoveredByEndpoint,
        "not on an end of a line",
        ends,
        ("POINT (2 0.5)", ["LINESTRING (0 0, 2 0)"]),
        ("POINT (2 1)", ["LINESTRING (0 0, 2 0)"], "POINT (2 1)", 1),
        tolerance=0.5,
        against=1,
        theirs=lines(),
    )
)
