import shapely

from spatial_pipeline.contract.rules.validity import NoHoles
from spatial_pipeline_tests.check.rule_cases import RuleCases, laws, leaves

RING = "POLYGON ((0 0, 3 0, 3 3, 0 3, 0 0), (1 1, 1 2, 2 2, 2 1, 1 1))"
HOLE = "POLYGON ((1 1, 1 2, 2 2, 2 1, 1 1))"


def holes(rule, shape):
    parts = [p for p in leaves(shape) if p.geom_type == "Polygon" and not p.is_empty]
    inner = [shapely.Polygon(ring) for part in parts for ring in part.interiors]
    told = [("hole", h.wkt, h.area) for h in inner if h.area > rule.tolerance or not rule.tolerance]
    return told if parts else None


test_laws = laws(
    RuleCases(
        NoHoles(),
        passes=["POLYGON ((0 0, 3 0, 3 3, 0 3, 0 0))"],
        fails=[(RING, [("hole", HOLE, 1)])],
        oracle=holes,
        tolerances=["tolerance"],
        others=["POINT (0 0)", "LINESTRING (0 0, 1 1)"],
    )
)
