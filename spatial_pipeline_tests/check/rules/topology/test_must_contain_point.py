import shapely

from spatial_pipeline.contract.rules.base import OtherSource
from spatial_pipeline.contract.rules.overlay import MustContainPoint
from spatial_pipeline_tests.check.layer_cases import LayerCases, laws

BOX = "POLYGON ((0 0, 2 0, 2 2, 0 2, 0 0))"


def oracle(_rule, own, other):
    for row, area in own.items():
        count = sum(area.contains(shapely.force_2d(p)) for p in other.values())
        if not count:
            yield (row,), "contains no point", area, 0


test_laws = laws(
    LayerCases(
        MustContainPoint(other=OtherSource(uri="points")),
        passes=[([BOX], ["POINT (1 1)"]), ([BOX], ["MULTIPOINT ((1 1), (9 9))", "POINT (1 1)"])],
        fails=[([BOX], ["POINT (0 1)", "POINT (5 5)"], [((0,), "contains no point", BOX, 0)])],
        oracle=oracle,
        judges=frozenset({2}),
        against=frozenset({0}),
        unjudged=["POINT (0 0)", "LINESTRING (0 0, 1 1)"],
    )
)
