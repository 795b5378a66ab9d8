from __future__ import annotations

import threading

import pyarrow as pa
import pytest
import shapely

from spatial_pipeline.check.join.where_filter import columns_of, mask
from spatial_pipeline.contract.rules.validity import NotEmpty
from spatial_pipeline.contract.vocabulary import Status
from spatial_pipeline.errors import RuleError
from spatial_pipeline.runtime import sql_limit
from spatial_pipeline_tests.support import memory_vector, run_rule

TABLE = pa.table({"a": [1, 2, None], 'we"ird; x': ["x", "y", "z"], "n": [7, 8, 9]})


@pytest.mark.parametrize(
    ("condition", "kept"),
    [
        ("a > 1", [False, True, False]),
        ('a IS NULL OR "we""ird; x" = \'x\'', [True, False, True]),
        ("n % 2 = 1", [True, False, True]),
        ("true", [True, True, True]),
        ("null", [False, False, False]),
    ],
)
def test_mask(condition: str, kept: list[bool]) -> None:
    assert mask(TABLE, condition).tolist() == kept


def test_mask_of_nothing() -> None:
    assert mask(TABLE.slice(0, 0), "a > 1").tolist() == []


@pytest.mark.parametrize(
    "condition",
    [
        "a >",
        "b = 1",
        "a = 1) or (1 = 1",
        "a = 1; drop table features",
        "(select count(*) from read_csv('/etc/passwd')) > 0",
        "a = 1 union select 1",
    ],
)
def test_what_is_no_condition_is_refused(condition: str) -> None:
    with pytest.raises(RuleError, match=r"^where: "):
        mask(TABLE, condition)


def test_columns_of_a_condition() -> None:
    names = ["a", "Name", 'we"ird; x', "unused"]
    assert columns_of('"we""ird; x" = \'q\' and NAME is null', names) == ("a", "Name", 'we"ird; x')


ENDLESS = "(SELECT count(*) FROM range(1000000000000) t(x) WHERE x % 7 = a) > 0"


def test_a_condition_that_never_ends_is_stopped(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sql_limit, "LIMIT_S", 0.2)
    with pytest.raises(RuleError, match=r"where: it took longer than 0\.2 s"):
        mask(TABLE, ENDLESS)


def test_a_rule_whose_time_is_up_leaves_no_query_behind() -> None:
    points = memory_vector([shapely.Point(i, i) for i in range(3)], {"a": [1, 2, 3]})
    result, _ = run_rule(NotEmpty(where=ENDLESS, timeout_s=0.3), points)
    assert result.status is Status.TIMEOUT
    for thread in threading.enumerate():
        if thread.name == "spatial-check":
            thread.join()
