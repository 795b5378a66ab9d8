import itertools

import shapely

from spatial_pipeline.contract.rules.nodes import MustNotTouchInterior
from spatial_pipeline_tests.check.geometry.shapes import lines
from spatial_pipeline_tests.check.layer_cases import LayerCases, laws


def oracle(_rule, own, _other):
    for i, j in itertools.combinations(own, 2):
        one, two = own[i], own[j]
        form = one.relate(two)
        if form[0] == form[1] == form[3] == "F":
            continue
        parts = shapely.get_parts(one.intersection(two))
        both = one.boundary.intersection(two.boundary)
        for point in (p for p in parts if p.geom_type == "Point"):
            if not point.intersects(both):
                yield (i, j), "crossing", point, None
        rest = [p for p in parts if p.geom_type != "Point"]
        if rest:
            for part in shapely.get_parts(shapely.line_merge(shapely.multilinestrings(rest))):
                yield (i, j), "shared line", part, part.length


test_laws = laws(
    LayerCases(
        MustNotTouchInterior(),
        passes=[(["LINESTRING (0 0, 2 0)", "LINESTRING (2 0, 4 0)", "LINESTRING (2 0, 2 2)"], [])],
        fails=[
            (
                ["LINESTRING (0 0, 2 0)", "LINESTRING (1 0, 1 3)"],
                [],
                [((0, 1), "crossing", "POINT (1 0)", None)],
            )
        ],
        oracle=oracle,
        judges=frozenset({1}),
        against=frozenset({1}),
        shapes=lines(2),
        unjudged=["POINT (0 0)"],
    )
)
