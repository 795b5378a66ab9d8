import shapely

from spatial_pipeline.contract.rules.base import OtherSource
from spatial_pipeline.contract.rules.boundaries import ValuesMatchLocation
from spatial_pipeline_tests.check.layer_cases import SINGLE, LayerCases, laws
from spatial_pipeline_tests.check.rules.topology.covered import BOX, BOXES
from spatial_pipeline_tests.support import memory_vector, run_rule

TOWNS, AREAS = ["a", "b", None], ["a", "b"]


def size(shape, dimension):
    return (shapely.get_num_coordinates(shape), shape.length, shape.area)[dimension]


def oracle(rule, own, other):
    for row, shape in own.items():
        dimension = shapely.get_dimensions(shape)
        parts = {j: size(shape.intersection(area), dimension) for j, area in other.items()}
        mine = TOWNS[row % 3]
        share = sum(n for j, n in parts.items() if AREAS[j % 2] == mine) / size(shape, dimension)
        if share < rule.min_share - 1e-9:
            reason = "other value there" if any(parts.values()) else "nothing there"
            yield (row,), reason, shape, share


RIGHT = "POLYGON ((2 0, 4 0, 4 2, 2 2, 2 0))"
test_laws = laws(
    LayerCases(
        ValuesMatchLocation(other=OtherSource(uri="areas"), values={"town": "name"}),
        passes=[(["POINT (1 1)", "LINESTRING (2 1, 3 1)"], [BOX, RIGHT])],
        fails=[
            (
                ["LINESTRING (1 1, 3 1)", "POINT (1 1)", "POINT (9 9)"],
                [BOX, RIGHT],
                [
                    ((0,), "other value there", "LINESTRING (1 1, 3 1)", 0.5),
                    ((1,), "other value there", "POINT (1 1)", 0),
                    ((2,), "nothing there", "POINT (9 9)", 0),
                ],
            )
        ],
        oracle=oracle,
        against=frozenset({2}),
        shapes=SINGLE,
        theirs=BOXES,
        columns={"town": TOWNS},
        other_columns={"name": AREAS},
    )
)


def test_a_smaller_share_is_enough():
    data = memory_vector([shapely.box(1, 0, 4, 1)], {"town": ["b"]})
    areas = memory_vector([shapely.from_wkt(w) for w in (BOX, RIGHT)], {"name": AREAS})
    for share, found in ((0.66, 0), (0.67, 1)):
        rule = ValuesMatchLocation(
            other=OtherSource(uri="areas"), values={"town": "name"}, min_share=share
        )
        assert len(run_rule(rule, data, areas)[1]) == found
