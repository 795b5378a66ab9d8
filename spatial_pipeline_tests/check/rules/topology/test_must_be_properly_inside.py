from spatial_pipeline.contract.rules.base import OtherSource
from spatial_pipeline.contract.rules.overlay import MustBeProperlyInside
from spatial_pipeline_tests.check.layer_cases import LayerCases, laws

BOX = "POLYGON ((0 0, 2 0, 2 2, 0 2, 0 0))"


def oracle(_rule, own, other):
    for row, shape in own.items():
        if not any(area.contains_properly(shape) for area in other.values()):
            yield (row,), "not properly inside", shape, 0


test_laws = laws(
    LayerCases(
        MustBeProperlyInside(other=OtherSource(uri="areas")),
        passes=[(["POINT (1 1)", "LINESTRING (0.5 0.5, 1 1)"], [BOX])],
        fails=[
            (["POINT (0 1)"], [BOX], [((0,), "not properly inside", "POINT (0 1)", 0)]),
            ([BOX], [BOX], [((0,), "not properly inside", BOX, 0)]),
        ],
        oracle=oracle,
        against=frozenset({2}),
    )
)
