"""Backfills after a change, through real daemon iterations, on SQLite and on PostgreSQL."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator
from pathlib import Path

import dagster as dg
import pytest
from dagster._core.execution.backfill import BulkActionStatus

from spatial_pipeline_tests.orchestration.schema_daemon import (
    SERVED,
    build,
    daemon,
    instance_on,
    published,
    retype,
)
from spatial_pipeline_tests.orchestration.schema_location import (
    BUILT,
    write_contract,
    write_source,
)


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Twelve published partitions."""
    build(tmp_path, monkeypatch)
    return tmp_path


@pytest.fixture(params=["sqlite", "postgres"])
def instance(request: pytest.FixtureRequest) -> Iterator[dg.DagsterInstance]:
    with instance_on(request.param, request) as made:
        yield made


def test_exactly_what_was_built_before_is_made_again(
    folder: Path, instance: dg.DagsterInstance
) -> None:
    before = published(folder)
    retype(folder, bad="p07")
    with daemon(instance) as running:
        said = running.settle()
        assert "backfill" in said[0]
        assert "p12, p11, p10, p09; 8 to follow" in said[0]
        assert "p04, p03, p02, p01" in said[2], said
        assert running.runs() == Counter(dict.fromkeys(BUILT, 1))
        now = published(folder)
        assert {k for k in BUILT if now[k] == before[k]} == {"p07"}
        backfills = instance.get_backfills()
        assert sorted(b.status.value for b in backfills) == [
            "COMPLETED_FAILED",
            "COMPLETED_SUCCESS",
            "COMPLETED_SUCCESS",
        ]
        for _ in range(3):
            assert running.tick() == "nothing is outdated"
        assert len(instance.get_backfills()) == 3

        write_source(folder, "p07", ["c6", "c7"])
        assert "of p07" in running.settle()[0]
        assert running.runs() == Counter({**dict.fromkeys(BUILT, 1), "p07": 2})
        assert published(folder)["p07"] != before["p07"]
        assert running.tick() == "nothing is outdated"


@pytest.mark.parametrize("instance", ["postgres"], indirect=True)
def test_nothing_is_done_without_a_change(folder: Path, instance: dg.DagsterInstance) -> None:
    with daemon(instance, SERVED) as running:
        assert running.tick() == "nothing is outdated"
        write_source(folder, "p03", [99])
        assert running.tick() == "nothing is outdated"
    assert not instance.get_backfills()


def test_what_a_person_cancelled_is_not_launched_again(
    folder: Path, instance: dg.DagsterInstance
) -> None:
    retype(folder)
    with daemon(instance, SERVED) as running:
        assert "8 to follow" in running.tick()
        (backfill,) = instance.get_backfills()
        # What the button in the UI does.
        instance.update_backfill(backfill.with_status(BulkActionStatus.CANCELING))
        assert running.work().status is BulkActionStatus.CANCELED
        for _ in range(3):
            assert running.tick().startswith("p12, p11, p10, p09, p08 and 7 more: a person cancel")
        assert len(instance.get_backfills()) == 1
        assert not running.runs()
    write_contract(folder, "any", backfill={"order": "oldest", "at_most": 3})
    with daemon(instance) as running:
        assert "of p01, p02, p03; 9 to follow" in running.tick()
