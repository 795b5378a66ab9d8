import shapely

from spatial_pipeline.contract.rules.base import OtherSource
from spatial_pipeline.contract.rules.networks import EndpointsMatchReferences
from spatial_pipeline_tests.check.geometry.shapes import lines
from spatial_pipeline_tests.check.layer_cases import LayerCases, laws
from spatial_pipeline_tests.check.rules.topology.placed import HALVES

FROM, TO, KEYS = ["a", None, "b"], ["b", "a"], ["a", "b"]


def oracle(rule, own, other):
    for row, line in own.items():
        named = (FROM[row % 3], "start", line.coords[0]), (TO[row % 2], "end", line.coords[-1])
        for name, which, place in named:
            point = shapely.Point(place)
            nodes = [n for j, n in other.items() if KEYS[j % 2] == name]
            if not any(n.distance(point) <= rule.tolerance for n in nodes):
                yield (row,), f"{which} is not at its node", point, None


RULE = {"start": "f", "end": "t", "other_key": "id"}
NODES = ["POINT (0 0)", "POINT (2 0)"]


def cases(tolerance, away):
    return LayerCases(
        EndpointsMatchReferences(other=OtherSource(uri="nodes"), tolerance=tolerance, **RULE),
        passes=[(["LINESTRING (0 0, 1 1, 2 0)"], NODES)],
        fails=[
            (
                ["LINESTRING (0 0, 2 0)", "LINESTRING (2 0, 0 0)", f"LINESTRING (2 0, {away} 0)"],
                NODES,
                [
                    ((1,), "start is not at its node", "POINT (2 0)", None),
                    ((2,), "end is not at its node", f"POINT ({away} 0)", None),
                ],
            )
        ],
        oracle=oracle,
        judges=frozenset({1}),
        against=frozenset({0}),
        shapes=lines(2),
        theirs=HALVES,
        columns={"f": FROM, "t": TO},
        other_columns={"id": KEYS},
        tolerances=["tolerance"],
        unjudged=["POINT (0 0)"],
    )


test_exactly = laws(cases(0, 0))
test_nearly = laws(cases(0.5, 1))
