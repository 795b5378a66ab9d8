"""What Dagster says about ticks of cron expressions."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

import pytest

from spatial_pipeline.orchestration.cron_ticks import last_tick


@pytest.mark.parametrize(
    ("at", "expected"),
    [
        (datetime(2035, 6, 1, 0, 59, tzinfo=UTC), datetime(2035, 5, 31, 1, tzinfo=UTC)),
        (datetime(2035, 6, 1, 1, 0, 1, tzinfo=UTC), datetime(2035, 6, 1, 1, tzinfo=UTC)),
        (datetime(2035, 12, 1, 1, 59, tzinfo=UTC), datetime(2035, 11, 30, 2, tzinfo=UTC)),
    ],
)
def test_three_in_the_morning_in_berlin(at: datetime, expected: datetime) -> None:
    assert abs(last_tick("0 3 * * *", at, "Europe/Berlin") - expected) == timedelta(0)
