from spatial_pipeline.contract.rules.base import OtherSource
from spatial_pipeline.contract.rules.overlay import CountInside
from spatial_pipeline_tests.check.layer_cases import LayerCases, laws

BOX = "POLYGON ((0 0, 2 0, 2 2, 0 2, 0 0))"


def oracle(rule, own, other):
    for row, area in own.items():
        count = sum(area.covers(shape) for shape in other.values())
        if count < rule.min:
            yield (row,), "too few inside", area, count
        if count > rule.max:
            yield (row,), "too many inside", area, count


test_laws = laws(
    LayerCases(
        CountInside(other=OtherSource(uri="others"), min=1, max=2),
        passes=[([BOX], ["POINT (0 0)", "LINESTRING (0 0, 1 0)", "LINESTRING (1 1, 3 1)"])],
        fails=[
            ([BOX], ["POINT (5 5)"], [((0,), "too few inside", BOX, 0)]),
            ([BOX], ["POINT (1 1)"] * 3, [((0,), "too many inside", BOX, 3)]),
        ],
        oracle=oracle,
        judges=frozenset({2}),
        unjudged=["POINT (0 0)", "LINESTRING (0 0, 1 1)"],
        tolerances=["max"],
    )
)
