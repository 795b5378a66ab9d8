import shapely

from spatial_pipeline.contract.rules.base import OtherSource
from spatial_pipeline.contract.rules.overlay import MustNotOverlapWith
from spatial_pipeline_tests.check.layer_cases import LayerCases, laws
from spatial_pipeline_tests.check.rule_cases import leaves

BOX = "POLYGON ((0 0, 2 0, 2 2, 0 2, 0 0))"


def oracle(rule, own, other):
    for i, one in own.items():
        for j, two in other.items():
            shared, form = one.intersection(two), one.relate(two)
            dimension = {1: "1", 2: "2"}[shapely.get_dimensions(one)]
            if shapely.get_dimensions(one) != shapely.get_dimensions(two) or form[0] != dimension:
                continue
            parts = [p for p in leaves(shared) if shapely.get_dimensions(p) == int(dimension)]
            shared = shapely.union_all(parts)
            size = shared.area or shared.length
            if not rule.tolerance or size > rule.tolerance:
                yield (i, j), "overlap", shared, size


LINE = "LINESTRING (0 5, 4 5)"
BESIDE = "POLYGON ((2 0, 4 0, 4 2, 2 2, 2 0))"
OVER = "POLYGON ((1 0, 4 0, 4 2, 1 2, 1 0))"
test_laws = laws(
    LayerCases(
        MustNotOverlapWith(other=OtherSource(uri="others")),
        passes=[
            (
                [BOX, LINE],
                [
                    "POLYGON ((2 0, 4 0, 4 2, 2 2, 2 0))",
                    "LINESTRING (0 0, 1 1)",
                    "LINESTRING (2 4, 2 6)",
                ],
            )
        ],
        fails=[
            (
                [BOX, LINE],
                [
                    "POLYGON ((1 0, 4 0, 4 2, 1 2, 1 0))",
                    "LINESTRING (3 5, 9 5)",
                    "LINESTRING (0 5, 1 6)",
                ],
                [
                    ((0, 0), "overlap", "POLYGON ((1 0, 2 0, 2 2, 1 2, 1 0))", 2),
                    ((1, 1), "overlap", "LINESTRING (3 5, 4 5)", 1),
                ],
            )
        ],
        oracle=oracle,
        judges=frozenset({1, 2}),
        against=frozenset({1, 2}),
        tolerances=["tolerance"],
        unjudged=["POINT (0 0)"],
    )
)
