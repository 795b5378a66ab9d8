import math

import pyarrow as pa
import shapely
from hypothesis import given, settings
from hypothesis import strategies as st

from spatial_pipeline.contract.rules.metadata import NotNull
from spatial_pipeline.contract.vocabulary import Status
from spatial_pipeline_tests.check.agreement import everywhere

POINTS = [shapely.Point(i, 0) for i in range(4)]


def test_empty_text_nan_and_zero_are_values():
    table = {"a": ["", "null", "None", " "], "b": [math.nan, 0.0, -0.0, math.inf]}
    result, violations = everywhere(NotNull(columns=("a", "b")), POINTS, table)
    assert (result.status, result.checked, violations) == (Status.PASSED, 8, [])


def test_every_null_is_found():
    table = {"a": ["x", None, "y", None], "b": [None, 1, 2, None]}
    result, violations = everywhere(NotNull(columns=("a", "b")), POINTS, table)
    assert violations == [
        ((0,), "b is null", "POINT (0 0)", None, -1, -1, -1),
        ((1,), "a is null", "POINT (1 0)", None, -1, -1, -1),
        ((3,), "a is null", "POINT (3 0)", None, -1, -1, -1),
        ((3,), "b is null", "POINT (3 0)", None, -1, -1, -1),
    ]
    assert (result.checked, result.violations) == (8, 4)
    assert result.message == "nulls: 2 in a, 2 in b"


def test_nan_beside_a_null_is_a_value():
    _, violations = everywhere(NotNull(columns=("a",)), POINTS, {"a": [math.nan, None, 0.0, 1.0]})
    assert [f[0] for f in violations] == [(1,)]


def test_features_without_a_place_are_found_too():
    _, violations = everywhere(
        NotNull(columns=("a",)), [None, shapely.Point()], {"a": [None, None]}
    )
    assert [(f[0], f[2]) for f in violations] == [((0,), None), ((1,), None)]


def test_a_column_of_nothing_but_nulls():
    table = {"a": pa.nulls(4)}
    assert everywhere(NotNull(columns=("a",)), POINTS, table)[0].violations == 4


def test_no_features():
    result, _ = everywhere(NotNull(columns=("a",)), [], {"a": []})
    assert (result.status, result.checked) == (Status.PASSED, 0)


def test_a_missing_column_is_an_error():
    result, _ = everywhere(NotNull(columns=("b",)), POINTS, {"a": [1, 2, 3, 4]})
    assert (result.status, result.message) == (Status.ERROR, "needs column b")


def test_where_selects():
    result, violations = everywhere(
        NotNull(columns=("a",), where="b > 1"), POINTS, {"a": [None] * 4, "b": [1, 2, None, 3]}
    )
    assert ([f[0] for f in violations], result.checked) == ([(1,), (3,)], 2)


@settings(max_examples=30, deadline=None)
@given(st.lists(st.tuples(*[st.sampled_from([None, 0, 1])] * 2), max_size=8))
def test_nulls_are_counted_value_by_value(rows):
    columns = list(zip(*rows, strict=True)) if rows else [(), ()]
    table = {name: pa.array(c, pa.int8()) for name, c in zip("ab", columns, strict=True)}
    geometries = [shapely.Point(i, 0) for i in range(len(rows))]
    _, violations = everywhere(NotNull(columns=("a", "b")), geometries, table)
    assert [f[:2] for f in violations] == [
        ((i,), f"{name} is null")
        for i, row in enumerate(rows)
        for name, value in zip("ab", row, strict=True)
        if value is None
    ]
