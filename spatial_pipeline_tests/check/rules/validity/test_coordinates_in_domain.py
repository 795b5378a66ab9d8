import shapely

from spatial_pipeline.contract.rules.vertices import CoordinatesInDomain
from spatial_pipeline.contract.vocabulary import Status
from spatial_pipeline_tests.check.agreement import everywhere
from spatial_pipeline_tests.check.rule_cases import RuleCases, laws
from spatial_pipeline_tests.check.vertex_oracles import of_type, paths

OUTSIDE = "outside the area of use of WGS 84 / UTM zone 33N"
TURNED = f"{OUTSIDE}, inside with x and y swapped"
LINE = "LINESTRING (5000000 500000, 500000 5000000, 5000000 400000)"


def inside(x, y):
    """Zone 33 in metres, its edges rounded: no case lies near them."""
    return 166_000 < x < 834_000 and -1 < y < 9_329_006 and not (y < 100 and x < 200_000)


def strangers(_, shape):
    out = [
        place
        for name in ("Point", "LineString", "Polygon")
        for path in paths(shape, name)
        for place in (path[:-1] if name == "Polygon" else path)
        if not inside(*place)
    ]
    if not out:
        return []
    leaves = of_type(shape, "Point", "LineString", "Polygon")
    ordered = [place for leaf in leaves for place in strange(leaf)]
    reason = TURNED if all(inside(y, x) for x, y in out) else OUTSIDE
    return [(reason, shapely.MultiPoint(ordered).wkt, float(len(ordered)))]


def strange(leaf):
    chains = paths(leaf, leaf.geom_type)
    chains = [c[:-1] if leaf.geom_type == "Polygon" else c for c in chains]
    return [place for chain in chains for place in chain if not inside(*place)]


test_laws = laws(
    RuleCases(
        CoordinatesInDomain(),
        passes=["POINT (500000 5000000)", "POLYGON ((5e5 5e6, 6e5 5e6, 6e5 6e6, 5e5 5e6))"],
        fails=[
            ("POINT (1 2)", [(OUTSIDE, "MULTIPOINT ((1 2))", 1)]),
            (LINE, [(TURNED, "MULTIPOINT ((5000000 500000), (5000000 400000))", 2)]),
        ],
        oracle=strangers,
        anywhere=False,
    )
)


def test_longitude_and_latitude_are_named():
    shapes = [shapely.Point(10, 120), shapely.Point(200, 120), shapely.Point(170, 10)]
    _, violations = everywhere(CoordinatesInDomain(), shapes, crs="EPSG:4326")
    area = "outside the area of use of WGS 84"
    told = [(f[0], f[1]) for f in violations]
    assert told == [((0,), f"{area}, inside with longitude and latitude swapped"), ((1,), area)]


def test_the_first_vertex_outside_is_named():
    _, violations = everywhere(CoordinatesInDomain(), [shapely.from_wkt(LINE)])
    assert [f[4:] for f in violations] == [(0, -1, 0)]


def test_without_a_crs_there_is_no_area():
    result, _ = everywhere(CoordinatesInDomain(), [shapely.Point(0, 0)], crs=None)
    assert result.status is Status.ERROR
