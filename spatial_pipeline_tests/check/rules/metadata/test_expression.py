import pyarrow as pa
import pytest
import shapely
from hypothesis import given, settings
from hypothesis import strategies as st

from spatial_pipeline.contract.rules.attributes import Expression
from spatial_pipeline.contract.vocabulary import Status
from spatial_pipeline.runtime import sql_limit
from spatial_pipeline_tests.check.agreement import everywhere
from spatial_pipeline_tests.check.engine.test_remote import Elsewhere, said
from spatial_pipeline_tests.check.incremental.test_feature_cache import Kept, checked
from spatial_pipeline_tests.support import memory_vector

POINTS = [shapely.Point(i, 0) for i in range(4)]
TABLE = {"floors": [2, 0, None, 9], "Height m": [6.0, 0.5, 4.0, 3.0]}
RULE = Expression(sql='floors = 0 OR "Height m" / floors > 2')


def test_false_rows_are_violations_and_null_rows_are_said():
    result, violations = everywhere(RULE, POINTS, TABLE)
    assert [f[:3] for f in violations] == [((3,), f"not true: {RULE.sql}", "POINT (3 0)")]
    assert (result.status, result.checked) == (Status.FAILED, 3)
    assert "1 row not judged because of a null" in result.message
    assert everywhere(Expression(sql="floors <= 9"), POINTS, TABLE)[0].passed
    assert everywhere(Expression(sql="NULL"), POINTS, TABLE)[0].checked == 0


def test_where_and_geometry_free_sources():
    where = RULE.model_copy(update={"where": "floors < 9"})
    result, _ = everywhere(where, POINTS, TABLE)
    assert (result.passed, result.checked) == (True, 2)
    nothing = memory_vector([None] * 4, TABLE, geometry_column=None)
    assert checked([RULE], nothing)[0][0].violations == 1


def test_other_machines_and_earlier_answers():
    data, there = memory_vector(POINTS, TABLE, batch_size=2), Elsewhere()
    assert said(data, [RULE], remote=there) == said(data, [RULE])
    assert there.asked
    kept = None
    for last in (9, 9, 1):
        edited = {**TABLE, "floors": [2, 0, None, last]}
        data = memory_vector(POINTS, edited, batch_size=2)
        kept = Kept(data, kept)
        assert checked([RULE], data, kept) == checked([RULE], data)


@pytest.mark.parametrize(
    ("sql", "said"),
    [
        ("floors + 1", "the expression gives BIGINT, neither true nor false"),
        ("nope = 1", "nope"),
        ("floors >", "syntax error"),
        ("true); DROP TABLE features; --", "Parser Error"),
        ("floors > (SELECT min(floors) FROM features)", "a query inside of an expression"),
        ("EXISTS (SELECT 1)", "a query inside of an expression"),
        ("floors > avg(floors)", "aggregate"),
        ("row_number() OVER () > 0", "window"),
        ("floors IN (SELECT * FROM read_csv('/etc/passwd'))", "disabled"),
        ("(SELECT count(*) FROM 'https://127.0.0.1/x.parquet') > 0", "disabled"),
        ("CAST('a' AS INTEGER) = floors", "Could not convert"),
    ],
)
def test_what_is_no_expression_of_a_row_is_an_error(sql, said):
    result, _ = everywhere(Expression(sql=sql), POINTS, TABLE)
    assert result.status is Status.ERROR
    assert result.message.startswith("sql: ")
    assert said in result.message


def test_an_expression_that_never_ends_is_stopped(monkeypatch):
    monkeypatch.setattr(sql_limit, "LIMIT_S", 0.2)
    slow = "list_sum(list_transform(range(floors + 3000000000), x -> x % 7)) > 0"
    result, _ = everywhere(Expression(sql=slow), POINTS[:1], {"floors": [1]})
    assert result.status is Status.ERROR


CELLS = st.tuples(st.none() | st.integers(-3, 3), st.none() | st.integers(-3, 3))


@settings(max_examples=25, deadline=None)
@given(st.lists(CELLS, min_size=1, max_size=8))
def test_rows_are_judged_one_by_one(rows):
    points = [shapely.Point(0, 0)] * len(rows)
    table = {"a": [a for a, _ in rows], "b": [b for _, b in rows]}
    table = {name: pa.array(values, pa.int64()) for name, values in table.items()}
    result, violations = everywhere(Expression(sql="a < b"), points, table)
    whole = [i for i, r in enumerate(rows) if None not in r]
    assert [f[0][0] for f in violations] == [i for i in whole if not rows[i][0] < rows[i][1]]
    assert result.checked == len(whole)
