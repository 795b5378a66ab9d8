import itertools

import shapely

from spatial_pipeline.contract.rules.overlay import MinDistance
from spatial_pipeline_tests.check.layer_cases import LayerCases, laws

BOX = "POLYGON ((0 0, 2 0, 2 2, 0 2, 0 0))"


def oracle(rule, own, _other):
    for (i, a), (j, b) in itertools.combinations(own.items(), 2):
        if a.distance(b) < rule.distance:
            yield (
                (i, j),
                "too near",
                shapely.shortest_line(shapely.force_2d(a), shapely.force_2d(b)),
                a.distance(b),
            )


test_laws = laws(
    LayerCases(
        MinDistance(distance=1),
        passes=[([BOX, "POINT (3 1)", "LINESTRING (0 5, 2 5)"], [])],
        fails=[
            ([BOX, "POINT (2.5 1)"], [], [((0, 1), "too near", "LINESTRING (2 1, 2.5 1)", 0.5)]),
            (["POINT (1 1)", BOX], [], [((0, 1), "too near", "LINESTRING (1 1, 1 1)", 0)]),
        ],
        oracle=oracle,
        searches=["distance"],
    )
)
