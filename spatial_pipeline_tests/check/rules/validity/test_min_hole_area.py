import shapely

from spatial_pipeline.contract.rules.vertices import MinHoleArea
from spatial_pipeline_tests.check.rule_cases import RuleCases, laws
from spatial_pipeline_tests.check.vertex_oracles import of_type

LARGE = "POLYGON ((0 0, 9 0, 9 9, 0 9, 0 0), (1 1, 1 4, 4 4, 4 1, 1 1))"
SMALL = "POLYGON ((0 0, 3 0, 3 3, 0 3, 0 0), (1 1, 1 2, 2 2, 2 1, 1 1))"
HOLE = "POLYGON ((1 1, 1 2, 2 2, 2 1, 1 1))"


def small(rule, shape):
    parts = of_type(shape, "Polygon")
    if not parts or not shape.is_valid:
        return None
    holes = [shapely.Polygon(ring) for part in parts for ring in part.interiors]
    return [("hole area below 2 m²", h.wkt, h.area) for h in holes if h.area < 2]


UNJUDGED = ["POINT (0 0)", "POLYGON ((0 0, 1 1, 1 0, 0 1, 0 0))"]
test_laws_by_class = laws(
    RuleCases(
        MinHoleArea(limits={"by": "use", "values": {"house": 2, "else": 99}}),
        [LARGE],
        [(SMALL, [("hole area below 2 m²", HOLE, 1)])],
        small,
        columns={"use": "house"},
        unjudged=UNJUDGED,
    )
)
