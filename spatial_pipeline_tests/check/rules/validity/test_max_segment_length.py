import numpy as np
import shapely

from spatial_pipeline.contract.rules.vertices import MaxSegmentLength
from spatial_pipeline_tests.check.agreement import everywhere
from spatial_pipeline_tests.check.rule_cases import RuleCases, laws
from spatial_pipeline_tests.check.vertex_oracles import line, of_type, segments

PARTS = ("LineString", "Polygon")
LONG = "segment length above 2 m"
RING = "POLYGON ((0 0, 9 0, 9 9, 0 9, 0 0), (4 4, 4 5, 7 5, 7 4, 4 4))"


def outside(rule, shape):
    if not of_type(shape, *PARTS):
        return None
    told = [(line(a, b), np.hypot(b[0] - a[0], b[1] - a[1])) for a, b in segments(shape, *PARTS)]
    reason = f"segment length above {rule.value:.15g} m"
    return [(reason, where, length) for where, length in told if length > rule.value]


test_laws = laws(
    RuleCases(
        MaxSegmentLength(value=2),
        passes=["LINESTRING (0 0, 1 0, 1 2)"],
        fails=[
            (
                "LINESTRING (0 0, 3 0, 3 1, 3 1)",
                [(LONG, "LINESTRING (0 0, 3 0)", 3)],
            )
        ],
        oracle=outside,
        tolerances=["value"],
        unjudged=["POINT (0 0)"],
    )
)


def test_bounds_by_class_and_the_address_of_each_segment():
    rule = MaxSegmentLength(limits={"by": "use", "values": {"road": 8}})
    shapes = [shapely.from_wkt(RING)] * 2
    _, violations = everywhere(rule, shapes, {"use": ["road", None]})
    assert [(f[0], *f[4:]) for f in violations] == [((0,), 0, 0, v) for v in range(4)]


def test_metres_along_geodesics():
    line = shapely.LineString([(0, 60), (0.001, 60), (0.001, 60.001)])
    _, violations = everywhere(MaxSegmentLength(value=100, metres=True), [line], crs="EPSG:4326")
    assert [(f[1], f[6]) for f in violations] == [("segment length above 100 m", 1)]
