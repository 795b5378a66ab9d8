import shapely

from spatial_pipeline.contract.rules.nodes import EndpointMustBeCoveredBy
from spatial_pipeline_tests.check.geometry.shapes import lines
from spatial_pipeline_tests.check.layer_cases import laws
from spatial_pipeline_tests.check.rules.topology.placed import placed


def ends(line):
    return [shapely.Point(c) for c in dict.fromkeys((line.coords[0], line.coords[-1]))]


test_exactly = laws(
    placed(
        EndpointMustBeCoveredBy,
        "end not covered",
        lambda shape: [shape],
        ("LINESTRING (0 0, 1 1, 2 0)", ["POINT (0 0)", "POINT (2 0)"]),
        ("LINESTRING (0 0, 2 0)", ["POINT (0 0)", "POINT (1 0)"], "POINT (2 0)", None),
        points=ends,
        judges=1,
        shapes=lines(),
    )
)
test_nearly = laws(
    placed(
        EndpointMustBeCoveredBy,
        "end not covered",
        lambda shape: [shape],
        ("LINESTRING (0 0, 2 0)", ["POINT (0 0.5)", "POINT (2 0)"]),
        ("LINESTRING (0 0, 2 0)", ["POINT (0 0)", "POINT (2.75 0)"], "POINT (2 0)", 0.75),
        tolerance=0.5,
        points=ends,
        judges=1,
        shapes=lines(),
    )
)
