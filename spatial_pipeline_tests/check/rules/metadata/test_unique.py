import math

import numpy as np
import pyarrow as pa
import shapely
from hypothesis import given, settings
from hypothesis import strategies as st

from spatial_pipeline.check.join import join_keys
from spatial_pipeline.check.rules.metadata import unique
from spatial_pipeline.contract.rules.metadata import Unique
from spatial_pipeline.contract.vocabulary import Status
from spatial_pipeline_tests.check.agreement import everywhere

POINTS = [shapely.Point(i, 0) for i in range(5)]


def test_distinct_keys_pass():
    table = {"id": ["a", "A", "a ", "", "å"]}
    result, violations = everywhere(Unique(columns=("id",)), POINTS, table)
    assert (result.status, result.checked, violations) == (Status.PASSED, 5, [])


def test_every_row_of_a_key_is_found():
    result, violations = everywhere(Unique(columns=("id",)), POINTS, {"id": [7, 1, 7, 2, 7]})
    assert violations == [
        ((i,), "id = 7 occurs 3 times", f"POINT ({i} 0)", 3.0, -1, -1, -1) for i in (0, 2, 4)
    ]
    assert (result.status, result.violations) == (Status.FAILED, 3)
    assert result.message == "3 rows share 1 key"


def test_a_key_of_several_columns():
    table = {"a": [1, 1, 2, 1, 2], "b": ["x", "y", "x", "x", "y"]}
    result, violations = everywhere(Unique(columns=("a", "b")), POINTS, table)
    assert [f[:2] for f in violations] == [
        ((0,), "(a, b) = (1, 'x') occurs 2 times"),
        ((3,), "(a, b) = (1, 'x') occurs 2 times"),
    ]
    assert everywhere(Unique(columns=("a",)), POINTS, table)[0].message == "5 rows share 2 keys"
    assert result.checked == 5


def test_nulls_are_not_compared():
    table = {"a": [1, None, None, 1, None], "b": [None, 1, 1, None, None]}
    result, violations = everywhere(Unique(columns=("a", "b")), POINTS, table)
    assert (result.status, result.checked, violations) == (Status.PASSED, 0, [])
    assert "5 rows with a null in the key not compared" in result.message
    result, violations = everywhere(Unique(columns=("a",)), POINTS, table)
    assert [f[0] for f in violations] == [(0,), (3,)]


def test_equal_hashes_are_no_proof(monkeypatch):
    monkeypatch.setattr(join_keys, "hashes", lambda table: np.zeros(table.num_rows, np.uint64))
    result, violations = everywhere(Unique(columns=("id",)), POINTS, {"id": [1, 2, 3, 2, 5]})
    assert [f[0] for f in violations] == [(1,), (3,)]
    assert everywhere(Unique(columns=("id",)), POINTS, {"id": [1, 2, 3, 4, 5]})[0].passed
    assert result.checked == 5


def test_suspects_are_looked_up_in_chunks(monkeypatch):
    monkeypatch.setattr(unique, "CHUNK", 2)
    result, violations = everywhere(Unique(columns=("id",)), POINTS, {"id": [1, 1, 1, 2, 1]})
    assert [f[:2] for f in violations] == [((i,), "id = 1 occurs 4 times") for i in (0, 1, 2, 4)]
    assert result.violations == 4


def test_rows_come_in_source_order_whatever_the_staged_order():
    _, violations = everywhere(
        Unique(columns=("id",)), POINTS, {"id": [1, 1, 2, 3, 1]}, rows=[9, 3, 5, 0, 7]
    )
    assert [f[0] for f in violations] == [(3,), (7,), (9,)]


def test_no_and_one_feature():
    assert everywhere(Unique(columns=("id",)), [], {"id": pa.array([], pa.int8())})[0].passed
    assert everywhere(Unique(columns=("id",)), POINTS[:1], {"id": [1]})[0].passed


def test_hostile_names():
    name = '"; drop table keys; --'
    result, _ = everywhere(Unique(columns=(name,)), POINTS, {name: [1, 1, 2, 3, 4]})
    assert result.violations == 2


def test_where_selects():
    table = {"id": [1, 1, 1, 2, 2], "kind": ["a", "a", "b", "a", "b"]}
    result, violations = everywhere(Unique(columns=("id",), where="kind = 'a'"), POINTS, table)
    assert ([f[0] for f in violations], result.checked) == ([(0,), (1,)], 3)


VALUES = st.tuples(
    st.sampled_from([None, 0.0, -0.0, 1.0, math.nan]), st.sampled_from([None, "", "a", "b"])
)


@settings(max_examples=25, deadline=None)
@given(st.lists(VALUES, max_size=9))
def test_rows_that_share_a_key_are_those_of_all_pairs(rows):
    geometries = [shapely.Point(i, 0) for i in range(len(rows))]
    number, text = zip(*rows, strict=True) if rows else ((), ())
    table = {"x": pa.array(number, pa.float64()), "t": pa.array(text, pa.string())}
    _, violations = everywhere(Unique(columns=("x", "t")), geometries, table)
    shown = ["nan" if x is not None and math.isnan(x) else x for x in number]
    whole = [None if None in row else row for row in zip(shown, text, strict=True)]
    expected = [i for i, k in enumerate(whole) if k is not None and whole.count(k) > 1]
    assert [f[0] for f in violations] == [(i,) for i in expected]
