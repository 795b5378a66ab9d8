"""500 checks that fail in one tick of the real daemon: one message a channel."""

from __future__ import annotations

from pathlib import Path

import pytest
from dagster._core.scheduler.instigation import TickStatus

from spatial_pipeline_tests.orchestration.alert_daemon import running_world
from spatial_pipeline_tests.orchestration.alerts_location import storm

RULES = 500


@pytest.mark.parametrize("storage", ["sqlite", "postgres"])
def test_a_storm_is_one_digest(
    storage: str, tmp_path: Path, request: pytest.FixtureRequest
) -> None:
    cluster = request.getfixturevalue("postgres") if storage == "postgres" else None
    with running_world(storage, tmp_path, cluster, rules=RULES) as world:
        assert world.report(storm()) == RULES
        assert world.tick().status is TickStatus.SKIPPED
        (digest,) = world.hook.received
        assert digest["title"] == f"storm is held: {RULES} rules fail"
        assert len({a["name"] for a in digest["alerts"]}) == RULES
        assert digest["alerts"][0]["violations"] is not None
        assert [str(m["Subject"]) for m in world.mail.received] == [digest["title"]]
        world.tick()
        assert len(world.hook.received) == len(world.mail.received) == 1
