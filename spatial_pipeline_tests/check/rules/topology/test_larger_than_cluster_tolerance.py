import math
from itertools import pairwise

import shapely

from spatial_pipeline.contract.rules.topology import LargerThanClusterTolerance
from spatial_pipeline_tests.check.agreement import everywhere
from spatial_pipeline_tests.check.rule_cases import RuleCases, laws
from spatial_pipeline_tests.check.vertex_oracles import of_type

THIN = "POLYGON ((0 0, 9 0, 9 0.5, 0 0.5, 0 0))"
SHORT = "LINESTRING (0 0, 0.5 0, 0 0)"
SLANTED = "POLYGON ((0 0, 30 40, 26 43, 0 0))"


def width(polygon):
    hull = polygon.convex_hull
    if hull.geom_type != "Polygon":
        return 0.0
    xy = list(hull.exterior.coords)
    return min(
        max(
            abs((bx - ax) * (py - ay) - (by - ay) * (px - ax)) / math.hypot(bx - ax, by - ay)
            for px, py in xy
        )
        for (ax, ay), (bx, by) in pairwise(xy)
    )


def collapsing(rule, shape):
    parts = of_type(shape, "LineString", "Polygon")
    told = []
    for part in parts:
        xmin, ymin, xmax, ymax = part.bounds
        extent = math.hypot(xmax - xmin, ymax - ymin)
        if part.geom_type == "Polygon" and extent > rule.tolerance:
            extent = min(extent, width(part))
        if extent <= rule.tolerance:
            told.append((f"not larger than {rule.tolerance:.15g} m", part.wkt, extent))
    return told if parts else None


test_laws = laws(
    RuleCases(
        LargerThanClusterTolerance(tolerance=0.6),
        passes=["LINESTRING (0 0, 1 0)", "POLYGON ((0 0, 9 0, 9 9, 0 0))"],
        fails=[
            (THIN, [("not larger than 0.6 m", THIN, 0.5)]),
            (SHORT, [("not larger than 0.6 m", SHORT, 0.5)]),
        ],
        oracle=collapsing,
        unjudged=["POINT (0 0)"],
    )
)


def test_the_width_is_measured_in_every_direction():
    for tolerance, found in ((4.9, 0), (5.0, 1)):
        rule = LargerThanClusterTolerance(tolerance=tolerance)
        _, violations = everywhere(rule, [shapely.from_wkt(SLANTED)])
        assert len(violations) == found
