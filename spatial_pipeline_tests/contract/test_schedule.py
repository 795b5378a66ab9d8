"""What a contract says about time, and every mistake in it at once, with its line."""

from __future__ import annotations

from datetime import timedelta
from pathlib import Path

import pytest
from dagster._utils.schedules import get_smallest_cron_interval

from spatial_pipeline.contract.cron import shortest_interval
from spatial_pipeline.contract.load import load
from spatial_pipeline.contract.models import VectorContract
from spatial_pipeline.contract.schedule import AtMost, Deadline, OnCron, Watch
from spatial_pipeline.errors import ContractError

HEAD = """type: spatial_pipeline.VectorDataset
attributes:
  name: a
  source: {uri: a.gpkg}
"""


def written(folder: Path, *lines: str) -> Path:
    path = folder / "a.yaml"
    path.write_text(HEAD + "".join(f"  {line}\n" for line in lines))
    return path


def test_everything_that_can_be_said(tmp_path: Path) -> None:
    (contract,) = load(
        written(
            tmp_path,
            "timezone: Europe/Berlin",
            "watch: {every: 5m}",
            'automation: {on_cron: "0 3 * * *"}',
            "freshness: {at_most: 26h, warn_after: 1d}",
        )
    )
    assert contract.timezone == "Europe/Berlin"
    assert contract.watched == Watch(every=timedelta(minutes=5))
    assert contract.automation == OnCron(on_cron="0 3 * * *")
    assert contract.freshness == AtMost(at_most=timedelta(hours=26), warn_after=timedelta(hours=24))


def test_short_forms_and_what_is_left_out(tmp_path: Path) -> None:
    lines = ("watch: true", "automation: eager", 'freshness: {deadline: "0 7 * * 1-5", within: 8h}')
    (contract,) = load(written(tmp_path, *lines))
    assert contract.watched == Watch(every=timedelta(minutes=1))
    assert contract.automation == "eager"
    assert contract.freshness == Deadline(deadline="0 7 * * 1-5", within=timedelta(hours=8))
    silent = VectorContract.model_validate({"name": "a", "source": {"uri": "a"}, "watch": False})
    assert silent.watched is silent.automation is silent.freshness is None
    assert silent.timezone == "UTC"


@pytest.mark.parametrize(
    ("lines", "expected"),
    [
        (
            [
                "timezone: Europe/Berln",
                "watch: {evry: 5m}",
                "automation: eagr",
                "freshness: {at_most: 26 hours}",
            ],
            [
                "5: timezone: 'Europe/Berln' is not a time zone; did you mean 'Europe/Berlin'?",
                "6: watch: unknown key 'evry'; did you mean 'every'?",
                (
                    "7: automation: expected 'eager' or 'on_missing', got 'eagr'; "
                    "did you mean 'eager'?"
                ),
                (
                    "8: freshness.at_most: expected a duration such as 90s, 5m, 26h or 7d, "
                    "got '26 hours'"
                ),
            ],
        ),
        (
            [
                "watch: often",
                'automation: {on_cron: "0 25 * * *"}',
                'freshness: {deadline: "0 3 * *", within: 8h}',
            ],
            [
                "5: watch: expected true or false or a mapping (key: value), got 'often'",
                "6: automation.on_cron: hour '25': 25 is not in 0 to 23",
                (
                    "7: freshness.deadline: a cron expression has 5 fields (minute, hour, day of "
                    "the month, month, day of the week), '0 3 * *' has 4"
                ),
            ],
        ),
        (
            ["watch: {every: 60}", "automation: 'on_cron \"0 3 * * *\"'", "freshness: 26h"],
            [
                "5: watch.every: expected a duration such as 90s, 5m, 26h or 7d, got 60",
                '6: automation: write {on_cron: "0 3 * * *"}',
                (
                    "7: freshness: expected a mapping {at_most: …} or a mapping {deadline: …, "
                    "within: …}, got '26h'"
                ),
            ],
        ),
        (
            ["watch: 1", "automation: [eager]", "freshness: {at_most: 26h, warn_after: 30h}"],
            [
                "5: watch: expected true or false or a mapping (key: value), got 1",
                (
                    "6: automation: expected 'eager' or 'on_missing' or a mapping {on_cron: …}, "
                    "got a list"
                ),
                "7: freshness: warn_after must be less than at_most",
            ],
        ),
        (
            ["watch: {every: 0s}", 'freshness: {deadline: "0 */2 * * *", within: 3h}'],
            [
                "5: watch.every: expected a duration of 1s to 3660d, got '0s'",
                "6: freshness: within is longer than the time between two deadlines, 2:00:00",
            ],
        ),
        (
            ["freshness: {at_most: 30s}"],
            ["5: freshness: freshness is judged by the minute: give at least 60s"],
        ),
    ],
)
def test_mistakes(tmp_path: Path, lines: list[str], expected: list[str]) -> None:
    path = written(tmp_path, *lines)
    with pytest.raises(ContractError) as caught:
        load(path)
    assert [m.removeprefix(f"{path}:") for m in str(caught.value).splitlines()] == expected


@pytest.mark.parametrize(
    "expression",
    ["0 3 * * *", "*/5 * * * *", "0 9-17 * * 1-5", "30 6 1 * *", "0 0 * * 0", "15 4 1,15 * *",
     "@daily", "@hourly", "@weekly", "@monthly", "0 0 29 2 *", "0 23,1 * * *", "0 0 1 * 1"],
)  # fmt: skip
def test_the_time_between_deadlines_is_as_dagster_counts_it(expression: str) -> None:
    assert shortest_interval(expression) == get_smallest_cron_interval(expression)
