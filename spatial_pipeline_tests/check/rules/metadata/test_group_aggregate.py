from fractions import Fraction

import pyarrow as pa
import pydantic
import pytest
import shapely
from hypothesis import given, settings
from hypothesis import strategies as st

from spatial_pipeline.contract.rules.statistics import GroupAggregate
from spatial_pipeline.contract.vocabulary import Status
from spatial_pipeline_tests.check.joins import joined, table
from spatial_pipeline_tests.support import memory_vector, run_rule

TABLE = {"state": ["CO", "CO", "UT", None], "area": [1.5, 2.5, 3.0, 1.0]}


def alone(rule, columns=TABLE):
    result, violations = run_rule(rule, table(columns))
    return result, violations.reasons.tolist()


def test_a_sum_for_each_group():
    rule = GroupAggregate(aggregate="sum", column="area", group_by=("state",), equals=4)
    result, found = alone(rule)
    assert found == [
        "state 'UT': sum of area is 3, not 4",
        "state None: sum of area is 1, not 4",
    ]
    assert (result.status, result.checked) == (Status.FAILED, 3)
    assert alone(rule.model_copy(update={"tolerance": 3.0}))[0].passed


@pytest.mark.parametrize(
    ("aggregate", "value"), [("count", 4), ("sum", 8), ("mean", 2), ("min", 1), ("max", 3)]
)
def test_every_aggregate_of_all_features(aggregate, value):
    column = None if aggregate == "count" else "area"
    of = {"aggregate": aggregate, "column": column}
    assert alone(GroupAggregate(**of, equals=value))[0].passed
    assert len(alone(GroupAggregate(**of, min=value + 0.5))[1]) == 1
    assert len(alone(GroupAggregate(**of, max=value - 0.5))[1]) == 1


def test_a_change_since_the_last_publication():
    rule = GroupAggregate(aggregate="count", group_by=("state",), max_change=0.5)
    before = {"state": ["CO", "UT", "WY"], "area": [1.0, 1.0, 1.0]}
    result, violations = joined(rule, TABLE, before)
    assert [f[1] for f in violations] == [
        "state 'CO': number of features is 2, was 1 when last published",
        "state 'WY': number of features was 1 when last published; the group is gone",
        "state None: number of features is 1; the group was not there when last published",
    ]
    assert result.checked == 4
    first, found = alone(rule)
    assert (first.passed, found) == (True, [])
    assert "nothing is published yet to compare with" in first.message
    where = rule.model_copy(update={"where": "state = 'UT'"})
    assert joined(where, TABLE, before)[0].passed
    lost = joined(rule, TABLE, {"area": [1.0]})[0]
    assert lost.message == "needs column state in the last published version"


SHAPES = [
    "POLYGON Z ((0 0 1, 4 0 1, 4 2 3, 0 2 3, 0 0 1))", "LINESTRING (0 0, 3 4)", "POINT (5 6)",
    "POLYGON EMPTY", None,
]  # fmt: skip


@pytest.mark.parametrize(
    ("measure", "value"),
    [("area", 8), ("length", 17), ("x", 8.5), ("y", 9), ("z", 1.8), ("vertices", 8)],
)
def test_a_measure_of_the_geometries_is_summed_up(measure, value):
    shapes = [w and shapely.from_wkt(w) for w in SHAPES]
    groups = {"kind": ["a", "a", "a", "b", "b"]}
    for size in (1, 5):
        data = memory_vector(shapes, groups, batch_size=size)
        rule = GroupAggregate(aggregate="sum", measure=measure, equals=value, tolerance=1e-12)
        assert run_rule(rule, data)[0].passed
        wrong = rule.model_copy(update={"equals": value + 1, "group_by": ("kind",)})
        found = run_rule(wrong, data)[1].reasons.tolist()
        assert found == [
            f"kind 'a': sum of {measure} is {value}, not {value + 1}",
            f"kind 'b': sum of {measure} does not exist: there is no value",
        ]


def test_a_measure_since_the_last_publication():
    shapes = [shapely.box(0, 0, 1, 1), shapely.box(0, 0, 2, 2)]
    now, before = (memory_vector([s], {"kind": ["a"]}) for s in shapes)
    rule = GroupAggregate(aggregate="sum", measure="area", max_change=0.5, where="kind = 'a'")
    _, found = run_rule(rule, now, before)
    assert found.reasons.tolist() == ["sum of area is 1, was 4 when last published"]


@settings(max_examples=30, deadline=None)
@given(st.lists(st.tuples(*[st.floats(-1e6, 1e6)] * 6), min_size=1, max_size=6))
def test_sums_of_measures_are_those_of_one_geometry_after_another(corners):
    shapes = [shapely.Polygon(zip(c[:3], c[3:], strict=True)) for c in corners]
    data = memory_vector(shapes, batch_size=2)
    for measure, function in (("area", shapely.area), ("length", shapely.length)):
        total = float(sum(Fraction(float(function(s))) for s in shapes))
        rule = GroupAggregate(aggregate="sum", measure=measure, equals=total)
        assert run_rule(rule, data)[0].passed


@pytest.mark.parametrize(
    ("fields", "message"),
    [
        ({"aggregate": "sum"}, "count takes none"),
        ({"aggregate": "count", "column": "a"}, "count takes none"),
        ({"aggregate": "count", "measure": "area"}, "count takes none"),
        ({"aggregate": "sum", "column": "a", "measure": "area"}, "not both"),
    ],
)
def test_mistakes(fields, message):
    with pytest.raises(pydantic.ValidationError, match=message):
        GroupAggregate(**fields, min=1)


ROWS = st.lists(st.tuples(st.sampled_from("ab"), st.integers(-9, 9)), min_size=1, max_size=8)


@settings(max_examples=25, deadline=None)
@given(ROWS, ROWS)
def test_groups_are_those_of_a_dictionary(own, other):
    def columns(rows):
        names, values = zip(*rows, strict=True)
        return {"state": list(names), "area": pa.array(values, pa.int16())}

    def sums(rows):
        return {k: sum(v for n, v in rows if n == k) for k, _ in rows}

    rule = GroupAggregate(aggregate="sum", column="area", group_by=("state",), max_change=0.5)
    _, violations = joined(rule, columns(own), columns(other))
    now, before = sums(own), sums(other)
    expected = [
        k for k in sorted({*now, *before})
        if k not in now or k not in before or abs(now[k] - before[k]) > 0.5 * abs(before[k])
    ]  # fmt: skip
    assert sorted(f[1].split("'")[1] for f in violations) == expected


def test_a_condition_that_leaves_nothing_of_a_batch():
    rule = GroupAggregate(
        aggregate="sum", column="area", group_by=("state",), max=5, where="state = 'UT'"
    )
    data = table(TABLE)
    data.batch_size = 2
    result, _ = run_rule(rule, data)
    assert (result.status, result.checked) == (Status.PASSED, 1)
