from spatial_pipeline.contract.rules.base import OtherSource
from spatial_pipeline.contract.rules.overlay import MustBeCoveredByOne
from spatial_pipeline_tests.check.layer_cases import LayerCases, laws

BOX = "POLYGON ((0 0, 2 0, 2 2, 0 2, 0 0))"


def oracle(_rule, own, other):
    for row, shape in own.items():
        if not any(cover.covers(shape) for cover in other.values()):
            yield (row,), "not covered by one feature", shape, 0


ACROSS = "LINESTRING (1 1, 3 1)"
test_laws = laws(
    LayerCases(
        MustBeCoveredByOne(other=OtherSource(uri="covers")),
        passes=[([BOX, "POINT (2 1)", "LINESTRING (0 0, 2 0)"], [BOX, "POINT (9 9)"])],
        fails=[
            (
                [ACROSS],
                [BOX, "POLYGON ((2 0, 4 0, 4 2, 2 2, 2 0))"],
                [((0,), "not covered by one feature", ACROSS, 0)],
            )
        ],
        oracle=oracle,
    )
)
