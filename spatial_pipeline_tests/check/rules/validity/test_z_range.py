from itertools import pairwise

import shapely

from spatial_pipeline.contract.rules.vertices import ZRange
from spatial_pipeline_tests.check.agreement import everywhere
from spatial_pipeline_tests.check.rule_cases import RuleCases, laws
from spatial_pipeline_tests.check.vertex_oracles import line, of_type

HIGH = "LINESTRING Z (0 0 1, 1 0 9, 2 0 8)"
FLAT = "POLYGON Z ((0 0 1, 1 0 2, 1 1 3, 0 0 1))"


def outside(rule, shape):
    if not shape.has_z:
        return None
    told = []
    for part in of_type(shape, "Point", "LineString", "Polygon"):
        rings = [part.exterior, *part.interiors] if part.geom_type == "Polygon" else [part]
        for ring in rings:
            xyz = list(ring.coords)
            told += [
                (f"step in Z above {rule.max_step}", line(a[:2], b[:2]), abs(b[2] - a[2]))
                for a, b in pairwise(xyz)
                if abs(b[2] - a[2]) > rule.max_step
            ]
            for x, y, z in xyz[:-1] if part.geom_type == "Polygon" else xyz:
                if not rule.min <= z <= rule.max:
                    side = f"below {rule.min}" if z < rule.min else f"above {rule.max}"
                    told.append((f"Z {side}", shapely.Point(x, y).wkt, z))
    return told


test_laws = laws(
    RuleCases(
        ZRange(min=0, max=8, max_step=5),
        passes=[FLAT, "POINT Z (0 0 8)"],
        fails=[
            (
                HIGH,
                [
                    ("Z above 8.0", "POINT (1 0)", 9),
                    ("step in Z above 5.0", "LINESTRING (0 0, 1 0)", 8),
                ],
            ),
            ("POLYGON Z ((0 0 -1, 1 0 2, 1 1 3, 0 0 -1))", [("Z below 0.0", "POINT (0 0)", -1)]),
        ],
        oracle=outside,
        tolerances=["max_step"],
        unjudged=["POINT (0 0)"],
    )
)


def test_what_has_no_number_is_said_and_nothing_is_said_about_the_plane():
    shapes = [shapely.linestrings([[0, 0, 1], [1, 1, float("nan")]])]
    result, violations = everywhere(ZRange(min=0), shapes)
    assert [(f[1], f[2], f[6]) for f in violations] == [("Z is not a number", "POINT (1 1)", 1)]
    assert "judged in the XY plane" not in result.message
