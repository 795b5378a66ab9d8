import numpy as np
import shapely

from spatial_pipeline.contract.rules.vertices import MinSegmentLength
from spatial_pipeline_tests.check.agreement import everywhere
from spatial_pipeline_tests.check.rule_cases import RuleCases, laws
from spatial_pipeline_tests.check.vertex_oracles import line, of_type, segments

PARTS = ("LineString", "Polygon")
SHORT = "segment length below 2 m"
RING = "POLYGON ((0 0, 9 0, 9 9, 0 9, 0 0), (4 4, 4 5, 7 5, 7 4, 4 4))"


def outside(rule, shape):
    if not of_type(shape, *PARTS):
        return None
    told = [(line(a, b), np.hypot(b[0] - a[0], b[1] - a[1])) for a, b in segments(shape, *PARTS)]
    reason = f"segment length below {rule.value:.15g} m"
    return [(reason, where, length) for where, length in told if length < rule.value]


test_laws = laws(
    RuleCases(
        MinSegmentLength(value=2),
        passes=["LINESTRING (0 0, 3 0, 3 3)"],
        fails=[
            (
                "LINESTRING (0 0, 3 0, 3 1, 3 1)",
                [
                    ("segment length below 2 m", "LINESTRING (3 0, 3 1)", 1),
                    ("segment length below 2 m", "LINESTRING (3 1, 3 1)", 0),
                ],
            )
        ],
        oracle=outside,
        unjudged=["POINT (0 0)"],
    )
)


def test_bounds_by_class_and_the_address_of_each_segment():
    rule = MinSegmentLength(limits={"by": "use", "values": {"road": 2}})
    shapes = [shapely.from_wkt(RING)] * 2
    _, violations = everywhere(rule, shapes, {"use": ["road", None]})
    assert [(f[0], *f[4:]) for f in violations] == [((0,), 0, 1, v) for v in (0, 2)]


def test_what_the_border_cuts_may_be_short():
    shapes = [shapely.LineString([(0, 0), (9, 9), (8, 8.5), (8, 8)])]
    _, violations = everywhere(MinSegmentLength(value=2, except_at_border=True), shapes)
    assert [f[2] for f in violations] == ["LINESTRING (8 8.5, 8 8)"]


def test_metres_along_geodesics():
    line = shapely.LineString([(0, 60), (0.001, 60), (0.001, 60.001)])
    _, violations = everywhere(MinSegmentLength(value=100, metres=True), [line], crs="EPSG:4326")
    assert [(f[1], f[6]) for f in violations] == [("segment length below 100 m", 0)]
