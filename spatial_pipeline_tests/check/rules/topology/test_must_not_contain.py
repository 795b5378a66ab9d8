import pyproj
import shapely

from spatial_pipeline.contract.rules.base import OtherSource
from spatial_pipeline.contract.rules.overlay import MustNotContain
from spatial_pipeline_tests.check.layer_cases import SINGLE, LayerCases, laws
from spatial_pipeline_tests.support import memory_vector, run_rule

BOX = "POLYGON ((0 0, 2 0, 2 2, 0 2, 0 0))"
INNER = "POLYGON ((0 0, 1 0, 1 1, 0 1, 0 0))"


def oracle(_rule, own, other):
    for i, area in own.items():
        for j, shape in other.items():
            if i != j and area.contains(shape):
                yield (i, j), "contains", shape, shape.area or shape.length or None


test_laws = laws(
    LayerCases(
        MustNotContain(),
        passes=[([INNER, "POLYGON ((0 -1, 0.5 -1, 0.5 3, 0 3, 0 -1))"], [])],
        fails=[
            ([BOX, INNER], [], [((0, 1), "contains", INNER, 1)]),
            ([INNER, INNER], [], [((i, 1 - i), "contains", INNER, 1) for i in range(2)]),
        ],
        oracle=oracle,
        judges=frozenset({2}),
        unjudged=["POINT (0 0)"],
        shapes=SINGLE,
    )
)


def test_of_another_dataset_with_keys_of_both():
    rule = MustNotContain(other=OtherSource(uri="points"))
    data = memory_vector([None, shapely.from_wkt(BOX)], {"id": ["a", "b"]})
    points = [shapely.Point(1, 1), shapely.Point(5, 5), shapely.Point(1.5, 1)]
    named = memory_vector(points, {"id": ["x", "y", "z"]})
    _, found = run_rule(rule, data, named, key=("id",))
    assert found.keys.tolist() == [(("b",), ("x",)), (("b",), ("z",))]
    nameless = memory_vector(points)
    assert run_rule(rule, data, nameless, key=("id",))[1].keys[0] == (("b",), (0,))


def test_the_other_dataset_comes_into_this_crs():
    rule = MustNotContain(other=OtherSource(uri="points"))
    data = memory_vector([shapely.box(499990, 5499990, 500010, 5500010)])
    lon, lat = pyproj.Transformer.from_crs(32633, 4326, always_xy=True).transform(500000, 5500000)
    other = memory_vector([shapely.Point(lon, lat), shapely.Point(lon + 1, lat)], crs="EPSG:4326")
    result, found = run_rule(rule, data, other)
    assert found.keys.tolist() == [((0,), (0,))]
    assert shapely.distance(found.geometry[0], shapely.Point(500000, 5500000)) < 1e-3
    assert "transformed from WGS 84" in result.message
