"""The attribute condition of a source."""

from __future__ import annotations

import threading
from decimal import Decimal
from pathlib import Path

import pyarrow as pa
import pytest

from spatial_pipeline.errors import GivenUpError, SourceError
from spatial_pipeline.ingest.where_filter import Condition
from spatial_pipeline.runtime import sql_limit
from spatial_pipeline.runtime.cancellation import Cancellation, obeying


def rows(condition: str, **columns: list[object]) -> list[int]:
    with Condition(condition) as opened:
        return opened.rows(pa.RecordBatch.from_pydict(columns)).tolist()


def test_rows_for_which_it_is_true() -> None:
    assert rows("a > 1", a=[1, 2, None, 3]) == [1, 3]
    assert rows("a IS NULL", a=[1, 2, None, 3]) == [2]
    assert rows("name LIKE 'B%' AND a < 3", a=[1, 2, 3], name=["Bb", "A", "B"]) == [0]


def test_columns_with_any_name() -> None:
    assert rows('"a""b; drop table x" = 1', **{'a"b; drop table x': [1, 2]}) == [0]
    assert rows("n = 5 AND n_1 = 6", n=[5, 5], n_1=[6, 7]) == [0]


def test_several_batches() -> None:
    with Condition("a = 1") as condition:
        for values in ([1, 2], [2, 1], [], [1]):
            batch = pa.RecordBatch.from_pydict({"a": pa.array(values, pa.int64())})
            assert condition.rows(batch).tolist() == [i for i, v in enumerate(values) if v == 1]


@pytest.mark.parametrize(
    ("condition", "message"),
    [
        ("nothing = 1", "nothing"),
        ("a >", "where: "),
        ("a = 1; DROP TABLE features", "where: "),
        ("", "where: "),
        ("a = 1) OR (true", "where: "),
        ("a = 'x'", "where: "),
    ],
)
def test_what_is_no_condition(condition: str, message: str) -> None:
    with pytest.raises(SourceError, match="where: ") as caught:
        rows(condition, a=[1])
    assert message in str(caught.value)


ENDLESS = "(SELECT count(*) FROM range(1000000000000) t(x) WHERE x % 7 = a) > 0"


def test_one_that_never_ends_is_stopped(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sql_limit, "LIMIT_S", 0.2)
    with pytest.raises(SourceError, match=r"where: it took longer than 0\.2 s"):
        rows(ENDLESS, a=[1, 2])


def test_one_that_never_ends_can_be_cancelled(monkeypatch: pytest.MonkeyPatch) -> None:
    # The end of those that nothing cancels is another error.
    monkeypatch.setattr(sql_limit, "LIMIT_S", 20.0)
    cancellation = Cancellation()
    timer = threading.Timer(0.2, cancellation.cancel)
    timer.start()
    with obeying(cancellation), pytest.raises(GivenUpError):
        rows(ENDLESS, a=[1, 2])
    timer.join()


def test_a_limit_that_was_not_reached_stops_nothing() -> None:
    with Condition("a = 1") as condition:
        for _ in range(3):
            batch = pa.RecordBatch.from_pydict({"a": [1]})
            assert condition.rows(batch).tolist() == [0]
    assert not [t for t in threading.enumerate() if isinstance(t, threading.Timer) and t.is_alive()]


def test_it_reads_no_files(tmp_path: Path) -> None:
    (tmp_path / "secret.csv").write_text("x\n1\n")
    with pytest.raises(SourceError, match="where: "):
        rows(f"a IN (SELECT x FROM '{tmp_path}/secret.csv')", a=[1])
    with pytest.raises(SourceError, match="where: "):
        rows(f"a = (SELECT count(*) FROM read_text('{tmp_path}/secret.csv'))", a=[1])


def test_numbers_of_many_digits_are_named_where_a_condition_asks_for_them() -> None:
    wide = pa.array([Decimal(1), Decimal(10) ** 60], pa.decimal256(76, 0))
    batch = pa.record_batch({"id": [1, 2], "wide": wide})
    with Condition("id > 1") as condition:
        assert condition.rows(batch).tolist() == [1]
    with (
        Condition("wide > 1") as condition,
        pytest.raises(SourceError, match="numbers of more than 38 digits: wide"),
    ):
        condition.rows(batch)
