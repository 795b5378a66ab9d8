from spatial_pipeline.contract.rules.base import OtherSource
from spatial_pipeline.contract.rules.overlay import MustNotBeContainedBy
from spatial_pipeline_tests.check.layer_cases import LayerCases, laws

BOX = "POLYGON ((0 0, 2 0, 2 2, 0 2, 0 0))"


def oracle(_rule, own, other):
    for i, shape in own.items():
        for j, area in other.items():
            if shape.within(area):
                yield (i, j), "contained", shape, shape.area or shape.length or None


test_laws = laws(
    LayerCases(
        MustNotBeContainedBy(other=OtherSource(uri="areas")),
        passes=[(["POINT (2 1)", "LINESTRING (1 1, 3 1)"], [BOX])],
        fails=[
            (
                ["POINT (1 1)"],
                [BOX, BOX],
                [((0, j), "contained", "POINT (1 1)", None) for j in (0, 1)],
            ),
            ([BOX], [BOX], [((0, 0), "contained", BOX, 4)]),
        ],
        oracle=oracle,
        against=frozenset({2}),
    )
)
