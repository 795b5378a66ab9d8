import itertools

import shapely

from spatial_pipeline.contract.rules.overlay import MustNotIntersect
from spatial_pipeline_tests.check.geometry.shapes import lines
from spatial_pipeline_tests.check.layer_cases import LayerCases, laws


def oracle(_rule, own, theirs):
    for i, j in list(itertools.combinations(own, 2)):
        one, two = own[i], theirs[j]
        if one.relate(two)[0] == "F":
            continue
        shared = shapely.force_2d(one.intersection(two))
        ends = shapely.union_all([one.boundary, two.boundary])
        points = [p for p in shapely.get_parts(shared) if p.geom_type == "Point"]
        for point in points:
            if not point.intersects(ends):
                yield (i, j), "crossing", point, None
        rest = [p for p in shapely.get_parts(shared) if p.geom_type != "Point"]
        if rest:
            for part in shapely.get_parts(shapely.line_merge(shapely.multilinestrings(rest))):
                yield (i, j), "shared line", part, part.length


test_laws = laws(
    LayerCases(
        MustNotIntersect(),
        passes=[(["LINESTRING (0 0, 4 0)", "LINESTRING (2 0, 2 3)", "LINESTRING (4 0, 5 0)"], [])],
        fails=[
            (
                ["LINESTRING (0 0, 4 0)", "LINESTRING (1 -1, 1 1)", "LINESTRING (2 0, 3 0, 3 5)"],
                [],
                [
                    ((0, 1), "crossing", "POINT (1 0)", None),
                    ((0, 2), "shared line", "LINESTRING (2 0, 3 0)", 1),
                ],
            )
        ],
        oracle=oracle,
        judges=frozenset({1}),
        against=frozenset({1}),
        shapes=lines(),
        unjudged=["POINT (0 0)"],
    )
)
