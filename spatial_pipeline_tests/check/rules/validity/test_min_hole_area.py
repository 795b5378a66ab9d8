import shapely

from spatial_pipeline.contract.rules.vertices import MinHoleArea
from spatial_pipeline_tests.check.agreement import everywhere
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


def test_square_metres_on_the_ellipsoid():
    outer, hole = shapely.box(0, 60, 0.01, 60.01), shapely.box(0.001, 60.001, 0.002, 60.002)
    shape = shapely.difference(outer, hole)
    _, violations = everywhere(MinHoleArea(value=7_000, metres=True), [shape], crs="EPSG:4326")
    assert [f[1] for f in violations] == ["hole area below 7000 m²"]
    assert everywhere(MinHoleArea(value=6_000, metres=True), [shape], crs="EPSG:4326")[0].passed


def test_what_the_border_cuts_may_be_small():
    frame = shapely.box(0, 0, 9, 9)
    # A hole that touches the shell in one point of the border of the data.
    touching = shapely.Polygon(frame.exterior, [[(0, 4), (1, 3), (1, 5), (0, 4)]])
    inner = shapely.Polygon(frame.exterior, [[(3, 4), (4, 3), (4, 5), (3, 4)]])
    rule = MinHoleArea(value=2, except_at_border=True)
    assert touching.is_valid
    assert everywhere(rule, [touching])[0].passed
    assert not everywhere(rule, [inner])[0].passed
    assert not everywhere(MinHoleArea(value=2), [touching])[0].passed
