from spatial_pipeline.contract.rules.base import OtherSource
from spatial_pipeline.contract.rules.overlay import MustContainOnePoint
from spatial_pipeline_tests.check.layer_cases import LayerCases, laws

BOX = "POLYGON ((0 0, 2 0, 2 2, 0 2, 0 0))"


def oracle(_rule, own, other):
    for row, area in own.items():
        count = sum(area.contains(p) for p in other.values())
        if count != 1:
            yield (row,), f"contains {'several points' if count else 'no point'}", area, count


test_laws = laws(
    LayerCases(
        MustContainOnePoint(other=OtherSource(uri="points")),
        passes=[([BOX], ["POINT (1 1)", "POINT (2 2)"])],
        fails=[
            ([BOX], [], [((0,), "contains no point", BOX, 0)]),
            (
                [BOX, BOX],
                ["POINT (1 1)", "POINT (1 1.5)"],
                [((i,), "contains several points", BOX, 2) for i in range(2)],
            ),
        ],
        oracle=oracle,
        judges=frozenset({2}),
        against=frozenset({0}),
        unjudged=["POINT (0 0)"],
    )
)
