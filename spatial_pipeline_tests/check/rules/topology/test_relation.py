import itertools

import pytest
import shapely
from pydantic import ValidationError

from spatial_pipeline.check.geometry.related_pairs import predicate
from spatial_pipeline.contract.rules.base import OtherSource
from spatial_pipeline.contract.rules.overlay import RelationRule
from spatial_pipeline_tests.check.layer_cases import LayerCases, laws
from spatial_pipeline_tests.support import memory_vector, run_rule

BOX = "POLYGON ((0 0, 2 0, 2 2, 0 2, 0 0))"
OTHER = OtherSource(uri="others")


def counts(rule, own, other):
    for i, one in own.items():
        count = sum(bool(predicate(rule.predicate)(one, two)) for j, two in other.items() if i != j)
        if count < (rule.min or 0):
            yield (i,), "too few related features", one, count
        if rule.max is not None and count > rule.max:
            yield (i,), "too many related features", one, count


def pairs(rule, own, other):
    for (i, one), (j, two) in itertools.product(own.items(), other.items()):
        if bool(predicate(rule.predicate)(one, two)):
            shared = one.intersection(two)
            size = shared.area or shared.length or None
            if not (rule.tolerance and size and size <= rule.tolerance):
                yield (i, j), f"related: {rule.predicate}", shared, size


test_number_within_one_dataset = laws(
    LayerCases(
        RelationRule(predicate="touches", min=1, max=2),
        passes=[([BOX, "POLYGON ((2 0, 4 0, 4 2, 2 2, 2 0))"], [])],
        fails=[([BOX], [], [((0,), "too few related features", BOX, 0)])],
        oracle=counts,
        tolerances=["max"],
    )
)
test_pairs_by_a_mask = laws(
    LayerCases(
        RelationRule(predicate="T*T***T**", must="not_exist", other=OTHER),
        passes=[([BOX], [BOX, "POINT (9 9)"])],
        fails=[
            (
                ["LINESTRING (0 0, 2 0)"],
                ["LINESTRING (1 0, 3 0)", "POINT (1 0)"],
                [((0, 0), "related: T*T***T**", "LINESTRING (1 0, 2 0)", 1)],
            )
        ],
        oracle=pairs,
        tolerances=["tolerance"],
    )
)
test_pairs_by_name = laws(
    LayerCases(
        RelationRule(predicate="covers", must="not_exist", other=OTHER),
        passes=[([BOX], ["POINT (3 3)"])],
        fails=[([BOX], ["POINT (2 2)"], [((0, 0), "related: covers", "POINT (2 2)", None)])],
        oracle=pairs,
        tolerances=["tolerance"],
    )
)


def test_a_pair_in_a_symmetric_relation_comes_once():
    data = memory_vector([shapely.box(0, 0, 2, 2), shapely.box(1, 0, 3, 2)], batch_size=1)
    for named in ("overlaps", "T*T***T**"):
        _, found = run_rule(RelationRule(predicate=named, must="not_exist"), data)
        assert found.rows.tolist() == [[0, 1]]
    _, found = run_rule(RelationRule(predicate="T*T******", must="not_exist"), data)
    assert found.rows.tolist() == [[0, 1], [1, 0]]


@pytest.mark.parametrize(
    ("parameters", "said"),
    [
        ({"predicate": "disjoint"}, "give one of intersects"),
        ({"predicate": "FF*FF****"}, "disjoint features match"),
        ({"predicate": "touches", "must": "not_exist", "min": 1}, "leave them out"),
        ({"predicate": "touches", "tolerance": 1}, "give must: not_exist"),
    ],
)
def test_mistakes(parameters, said):
    with pytest.raises(ValidationError, match=said):
        RelationRule(**parameters)
