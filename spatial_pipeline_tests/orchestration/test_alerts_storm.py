"""500 checks that fail in one tick of the real daemon: one digest a channel."""

from __future__ import annotations

import asyncio
from pathlib import Path

import dagster as dg
import pytest
from dagster import DagsterEvent, DagsterEventType
from dagster._core.scheduler.instigation import TickStatus
from dagster._core.test_utils import create_run_for_test

from spatial_pipeline.orchestration.assets import staged_key
from spatial_pipeline.run import Pipeline
from spatial_pipeline_tests.orchestration.alert_daemon import World, running_world
from spatial_pipeline_tests.orchestration.alerts_location import storm

RULES = 500


def rain(world: World) -> None:
    """A run that failed 500 checks, as its events say; the verdict in the store is a real one.

    Only the events that matter are written: a whole run writes 1500, one transaction each.
    """
    pipeline, contract = Pipeline.of([storm()]), storm()
    version = pipeline.stage(contract)
    audit = asyncio.run(pipeline.audit(contract, version))
    failed = [r for r in audit.results if not r.passed]
    assert len(failed) == RULES
    key = staged_key("storm")
    run = create_run_for_test(
        world.instance, asset_selection=frozenset({key}), status=dg.DagsterRunStatus.STARTED
    )
    for result in failed:
        evaluation = dg.AssetCheckEvaluation(
            asset_key=key,
            check_name=result.name,
            passed=False,
            metadata={"version": dg.MetadataValue.text(version.id)},
            blocking=True,
        )
        event = DagsterEvent(
            event_type_value=DagsterEventType.ASSET_CHECK_EVALUATION.value,
            job_name=run.job_name,
            step_key="storm__checks",
            event_specific_data=evaluation,
        )
        world.instance.report_dagster_event(event, run_id=run.run_id)
    world.instance.report_run_failed(run)


@pytest.mark.parametrize("storage", ["sqlite", "postgres"])
def test_a_storm_is_one_digest(
    storage: str, tmp_path: Path, request: pytest.FixtureRequest
) -> None:
    cluster = request.getfixturevalue("postgres") if storage == "postgres" else None
    with running_world(storage, tmp_path, cluster, rules=RULES) as world:
        rain(world)
        assert world.tick().status is TickStatus.SKIPPED
        (digest,) = world.hook.received
        assert digest["title"] == f"{RULES + 1} failed (1 dataset)"
        kinds = [a["kind"] for a in digest["alerts"]]
        assert sorted(set(kinds)) == ["rule", "run"]
        assert kinds.count("rule") == RULES
        assert digest["alerts"][0]["violations"] is not None
        assert [str(m["Subject"]) for m in world.mail.received] == [digest["title"]]
        world.tick()
        assert len(world.hook.received) == len(world.mail.received) == 1
