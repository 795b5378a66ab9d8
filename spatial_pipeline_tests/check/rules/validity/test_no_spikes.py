import numpy as np
import shapely

from spatial_pipeline.contract.rules.vertices import NoSpikes
from spatial_pipeline_tests.check.agreement import everywhere
from spatial_pipeline_tests.check.rule_cases import RuleCases, laws
from spatial_pipeline_tests.check.vertex_oracles import corners, of_type

SPIKE = "LINESTRING (0 0, 4 0, 4 0, 2 0)"
RING = "POLYGON ((0 0, 4 0, 4 4, 0 0))"


def angle(a, b, c):
    one, two = np.subtract(a, b), np.subtract(c, b)
    return np.degrees(np.arctan2(abs(one[0] * two[1] - one[1] * two[0]), one @ two))


def sharp(rule, shape):
    if not of_type(shape, "LineString", "Polygon"):
        return None
    told = [(shapely.Point(b).wkt, angle(a, b, c)) for a, b, c in corners(shape)]
    reason = f"angle below {rule.min_angle:.15g}°"
    return [(reason, where, size) for where, size in told if size < rule.min_angle]


test_laws = laws(
    RuleCases(
        NoSpikes(min_angle=40),
        passes=["LINESTRING (0 0, 4 0, 4 4)", RING, "LINESTRING (0 0, 9 0)"],
        fails=[(SPIKE, [("angle below 40°", "POINT (4 0)", 0)])],
        oracle=sharp,
        unjudged=["POINT (0 0)"],
    )
)


def test_corners_of_a_ring_go_all_around():
    _, violations = everywhere(NoSpikes(min_angle=50), [shapely.from_wkt(RING)])
    assert [(f[2], *f[4:]) for f in violations] == [
        ("POINT (0 0)", 0, 0, 0),
        ("POINT (4 4)", 0, 0, 2),
    ]
    (measure,) = {round(f[3], 9) for f in violations}
    assert measure == 45


def test_the_first_of_repeated_points_is_named():
    _, violations = everywhere(NoSpikes(min_angle=50), [shapely.from_wkt(SPIKE)])
    assert [f[4:] for f in violations] == [(0, -1, 1)]
