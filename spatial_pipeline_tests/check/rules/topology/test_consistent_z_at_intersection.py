import shapely
from hypothesis import strategies as st

from spatial_pipeline.contract.rules.nodes import ConsistentZAtIntersection
from spatial_pipeline_tests.check.layer_cases import LayerCases, laws
from spatial_pipeline_tests.support import memory_vector, run_rule


def places(size=2):
    coordinate = st.integers(0, size).map(float)
    return st.tuples(coordinate, coordinate, coordinate)


def straight(pair):
    return pair[0][:2] != pair[1][:2]


LINES = st.tuples(places(), places()).filter(straight).map(shapely.LineString)


def z_at(line, x, y):
    (x0, y0, z0), (x1, y1, z1) = line.coords
    share = (x - x0) / (x1 - x0) if x1 != x0 else (y - y0) / (y1 - y0)
    return z0 + share * (z1 - z0)


def oracle(rule, own, _other):
    rows = sorted(own)
    for a, i in enumerate(rows):
        for j in rows[a + 1 :]:
            one, two = own[i], own[j]
            shared = shapely.force_2d(one).intersection(shapely.force_2d(two))
            for x, y in shapely.get_coordinates(shared).tolist():
                difference = abs(z_at(one, x, y) - z_at(two, x, y))
                if difference > rule.tolerance + 1e-12:
                    yield (i, j), "different Z", shapely.Point(x, y), difference


test_laws = laws(
    LayerCases(
        ConsistentZAtIntersection(tolerance=0.3),
        passes=[(["LINESTRING Z (0 0 0, 2 2 2)", "LINESTRING Z (0 2 1, 2 0 1)"], [])],
        fails=[
            (
                ["LINESTRING Z (0 0 0, 2 2 2)", "LINESTRING Z (0 2 5, 2 0 5)"],
                [],
                [((0, 1), "different Z", "POINT (1 1)", 4)],
            )
        ],
        oracle=oracle,
        judges=frozenset({1}),
        shapes=LINES,
        tolerances=["tolerance"],
        unjudged=["POINT (0 0)"],
    )
)


def test_parts_and_shared_stretches():
    one = shapely.from_wkt("MULTILINESTRING Z ((9 9 9, 8 8 8), (0 0 0, 4 0 4))")
    two = shapely.from_wkt("LINESTRING Z (1 0 1, 3 0 5)")
    result, found = run_rule(ConsistentZAtIntersection(), memory_vector([one, two]))
    assert result.checked == 2
    assert [g.wkt for g in found.geometry] == ["POINT (3 0)"]
    assert found.measure.tolist() == [2.0]
