import shapely
from hypothesis import given, settings
from hypothesis import strategies as st

from spatial_pipeline.contract.rules.vertices import SimpleGeometry
from spatial_pipeline_tests.check.agreement import everywhere
from spatial_pipeline_tests.check.geometry.shapes import lines
from spatial_pipeline_tests.check.rule_cases import RuleCases, laws
from spatial_pipeline_tests.check.vertex_oracles import of_type, paths

CROSS = "LINESTRING (0 0, 2 2, 2 0, 0 2)"
OVER = "LINESTRING (0 0, 4 0, 2 0)"
TWICE = "MULTIPOINT ((1 1), (0 0), (1 1))"
CLOSED = "MULTILINESTRING ((0 0, 2 0, 2 2, 0 0), (0 0, 0 5))"
BOWTIE = "POLYGON ((0 0, 2 2, 2 0, 0 2, 0 0))"
SPUR = "POLYGON ((0 0, 4 0, 4 4, 4 6, 4 4, 0 4, 0 0))"
HOLE = "POLYGON ((0 0, 9 0, 9 9, 0 9, 0 0), (1 1, 3 3, 3 1, 1 3, 1 1))"
TOUCH = "MULTILINESTRING ((0 0, 2 0), (1 0, 1 5))"


def points_of(shape):
    """Repeated points."""
    seen, told = set(), []
    for point in of_type(shape, "Point"):
        if point.coords[0] in seen:
            told.append(("repeated point", point.wkt, None))
        seen.add(point.coords[0])
    return told


def apart(path):
    return [p for i, p in enumerate(path) if i == 0 or p != path[i - 1]]


def meetings(chains):
    """Every pair of segments, one by one."""
    found = {}
    every = [(c, k) for c, chain in enumerate(chains) for k in range(len(chain) - 1)]
    for n, (c, k) in enumerate(every):
        for d, q in every[:n]:
            one, two = (
                shapely.LineString(chains[d][q : q + 2]),
                shapely.LineString(chains[c][k : k + 2]),
            )
            common = one.intersection(two)
            if common.is_empty or (
                common.geom_type == "Point" and joined(chains, (d, q), (c, k), common)
            ):
                continue
            found.setdefault(common.normalize().wkb, common)
    return found.values()


def joined(chains, one, two, common):
    place = common.coords[0]
    (d, q), (c, k) = one, two
    if place not in chains[d][q : q + 2] or place not in chains[c][k : k + 2]:
        return False
    if d == c and k == q + 1:
        return True
    ends = all(
        (place == chains[a][0] and b == 0) or (place == chains[a][-1] and b == len(chains[a]) - 2)
        for a, b in (one, two)
    )
    closed = any(chains[a][0] == chains[a][-1] for a in (c, d))
    return ends and (d == c or not closed)


def crossings(_, shape):
    together = [[apart(p) for p in paths(shape, "LineString")]]
    rings = [[apart(p)] for p in paths(shape, "Polygon")]
    told = [
        ("self-intersection", shapely.to_wkt(m), None)
        if m.geom_type == "Point"
        else ("runs over itself", shapely.to_wkt(m), m.length)
        for chains in together + rings
        for m in meetings(chains)
    ]
    return [*told, *points_of(shape)]


test_laws = laws(
    RuleCases(
        SimpleGeometry(),
        passes=[
            "LINESTRING (0 0, 2 0, 2 2, 0 0)",
            "MULTILINESTRING ((0 0, 2 0), (2 0, 2 2), (2 0, 4 0))",
            "MULTIPOINT ((1 1), (0 0))",
            "POLYGON ((0 0, 1 0, 1 1, 0 0))",
            "POLYGON ((0 0, 4 0, 4 4, 0 0), (3 1, 9 1, 9 2, 3 1))",
            "MULTIPOLYGON (((0 0, 2 0, 2 2, 0 0)), ((0 0, 2 0, 2 2, 0 0)))",
            "POLYGON ((0 0, 1 0, 1 0, 1 1, 0 0, 0 0))",
        ],
        fails=[
            (CROSS, [("self-intersection", "POINT (1 1)", None)]),
            (OVER, [("runs over itself", "LINESTRING (2 0, 4 0)", 2)]),
            (TWICE, [("repeated point", "POINT (1 1)", None)]),
            (CLOSED, [("self-intersection", "POINT (0 0)", None)]),
            (TOUCH, [("self-intersection", "POINT (1 0)", None)]),
            (BOWTIE, [("self-intersection", "POINT (1 1)", None)]),
            (HOLE, [("self-intersection", "POINT (2 2)", None)]),
            (
                SPUR,
                [
                    ("runs over itself", "LINESTRING (4 4, 4 6)", 2),
                    ("self-intersection", "POINT (4 4)", None),
                ],
            ),
        ],
        oracle=crossings,
    )
)


@settings(deadline=None, max_examples=60)
@given(st.lists(lines(), min_size=1, max_size=3).map(shapely.MultiLineString))
def test_a_place_is_named_where_geos_finds_a_line_not_simple(shape):
    _, violations = everywhere(SimpleGeometry(), [shape])
    assert bool(violations) == (not shape.is_simple)


@settings(deadline=None, max_examples=60)
@given(st.lists(st.tuples(*[st.integers(0, 4)] * 2), min_size=3, max_size=7).map(shapely.Polygon))
def test_a_place_is_named_where_geos_finds_a_polygon_not_simple(shape):
    _, violations = everywhere(SimpleGeometry(), [shape])
    assert bool(violations) == (not shape.is_simple)


def test_the_later_segment_is_named():
    _, violations = everywhere(
        SimpleGeometry(), [shapely.from_wkt(w) for w in (CROSS, TOUCH, TWICE)]
    )
    assert [f[4:] for f in violations] == [(0, -1, 2), (1, -1, 0), (2, -1, -1)]
    multi = f"MULTIPOLYGON (((8 8, 9 8, 9 9, 8 8)), {HOLE.removeprefix('POLYGON ')})"
    _, violations = everywhere(SimpleGeometry(), [shapely.from_wkt(multi)])
    assert [f[4:] for f in violations] == [(1, 1, 2)]
