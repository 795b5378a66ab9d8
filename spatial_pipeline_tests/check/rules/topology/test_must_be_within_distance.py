import shapely

from spatial_pipeline.contract.rules.base import OtherSource
from spatial_pipeline.contract.rules.overlay import MustBeWithinDistance
from spatial_pipeline_tests.check.layer_cases import LayerCases, laws
from spatial_pipeline_tests.support import memory_vector, run_rule

BOX = "POLYGON ((0 0, 2 0, 2 2, 0 2, 0 0))"


def oracle(rule, own, other):
    for i, shape in own.items():
        ranked = sorted((shape.distance(o), j) for j, o in other.items())
        if sum(d <= rule.distance for d, _ in ranked) >= rule.min_count:
            continue
        beyond = [(d, j) for d, j in ranked if rule.distance < d <= 2 * rule.distance]
        if beyond:
            size, j = beyond[0]
            yield (
                (i, j),
                "too far",
                shapely.shortest_line(shapely.force_2d(shape), shapely.force_2d(other[j])),
                size,
            )
        else:
            yield (i,), "too far", shape, None


test_laws = laws(
    LayerCases(
        MustBeWithinDistance(other=OtherSource(uri="others"), distance=1),
        passes=[([BOX], ["POINT (3 1)"]), ([BOX], ["POINT (9 9)", BOX])],
        fails=[
            (
                [BOX, "POINT (9 9)"],
                ["POINT (3.5 1)"],
                [
                    ((0, 0), "too far", "LINESTRING (2 1, 3.5 1)", 1.5),
                    ((1,), "too far", "POINT (9 9)", None),
                ],
            )
        ],
        oracle=oracle,
        tolerances=["distance"],
    )
)


def test_only_others_with_equal_values_count():
    hydrants = memory_vector([shapely.Point(1, 0), shapely.Point(1.5, 0)], {"town": ["a", None]})
    houses = memory_vector([shapely.Point(0, 0)] * 3, {"place": ["a", "b", None]})
    rule = MustBeWithinDistance(other=OtherSource(uri="o"), distance=1, match={"place": "town"})
    _, found = run_rule(rule, houses, hydrants)
    assert found.rows[:, 0].tolist() == [1, 2]
    assert found.measure[1] == 1.5
