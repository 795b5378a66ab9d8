import copy
import datetime as dt
from dataclasses import replace

import pyarrow as pa
import pydantic
import pytest
import shapely
from hypothesis import given, settings
from hypothesis import strategies as st

from spatial_pipeline.check.rules.metadata import freshness
from spatial_pipeline.contract.models import RasterContract
from spatial_pipeline.contract.rules.statistics import FreshnessRule
from spatial_pipeline.contract.vocabulary import Status
from spatial_pipeline_tests.check.agreement import everywhere
from spatial_pipeline_tests.support import memory_raster, memory_vector, run_rule

NOW = dt.datetime(2026, 5, 2, 12, tzinfo=dt.UTC)
RULE = FreshnessRule(column="seen", max_age="26h")


def judged(values, kind=None):
    points = [shapely.Point(0, 0)] * len(values)
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(freshness, "_now", lambda: NOW)
        return everywhere(RULE, points, {"seen": pa.array(values, kind)})[0]


def test_the_newest_record_counts():
    result = judged([NOW - dt.timedelta(hours=h) for h in (300, 25, 40)] + [None])
    assert (result.status, result.checked, result.value) == (Status.PASSED, 3, 25)
    assert "1 null in seen not judged" in result.message
    old = judged([NOW - dt.timedelta(hours=27)])
    assert (old.status, old.value, old.threshold) == (Status.FAILED, 27, 26)
    assert old.message == (
        "the newest seen is 2026-05-01T09:00:00+00:00, 27.0 hours old, accepted are 26"
    )


@pytest.mark.parametrize(
    ("value", "kind", "passed"),
    [
        (dt.date(2026, 5, 1), pa.date32(), True),
        (dt.date(2026, 4, 30), pa.date32(), False),
        ("2026-05-01T11:00", pa.timestamp("s"), True),
        ("2026-05-01T09:00", pa.timestamp("ns"), False),
        ("2026-05-01T09:00", pa.timestamp("ms", "America/Denver"), False),
    ],
)
def test_days_last_to_their_end_and_times_without_a_zone_are_utc(value, kind, passed):
    if isinstance(value, str):
        value = dt.datetime.fromisoformat(value)
    assert judged([value], kind).passed == passed


def test_nothing_to_judge_is_no_proof():
    assert judged([None], pa.date32()).message == (
        "no record has a time in seen; 1 null in seen not judged"
    )
    assert not judged([], pa.date32()).passed
    result = judged(["yesterday"])
    assert (result.status, result.message) == (
        Status.ERROR, "column seen holds string, neither days nor times",
    )  # fmt: skip


@settings(max_examples=20, deadline=None)
@given(st.lists(st.none() | st.integers(-100, 100), min_size=1, max_size=6))
def test_the_age_is_that_of_the_latest(hours):
    values = [None if h is None else NOW - dt.timedelta(hours=h) for h in hours]
    real = [h for h in hours if h is not None]
    assert judged(values, pa.timestamp("us", "UTC")).passed == (bool(real) and min(real) <= 26)


@pytest.mark.parametrize("data", [memory_vector([None]), memory_raster([[[1]]])])
@pytest.mark.parametrize(("hours", "passed"), [(25, True), (27, False), (None, None)])
def test_the_time_of_the_source_counts(data, hours, passed):
    changed = None if hours is None else (NOW - dt.timedelta(hours=hours)).isoformat()
    data = copy.copy(data)
    data.profile = replace(data.profile, changed=changed)
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(freshness, "_now", lambda: NOW)
        result, _ = run_rule(FreshnessRule(source_time=True, max_age="26h"), data)
    if hours is None:
        assert (result.status, "is not known" in result.message) == (Status.ERROR, True)
    else:
        assert (result.passed, result.value, result.threshold) == (passed, hours, 26)
        assert result.message.startswith(f"the source was written at {changed}, {hours}.0 hours")


def test_a_raster_has_a_time_and_no_columns():
    rules = [{"rule": "freshness", "max_age": "1d", "column": "a"}]
    with pytest.raises(pydantic.ValidationError, match="column: a raster has no columns"):
        RasterContract(name="a", source={"uri": "a.tif"}, rules=rules)
