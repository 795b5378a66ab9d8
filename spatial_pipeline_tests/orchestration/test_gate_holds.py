"""The gate holds on every path that Dagster offers; the last published version stays."""

from __future__ import annotations

import asyncio
import json
import threading
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import dagster as dg
import pyarrow.parquet as pq
import pytest
from dagster._core.test_utils import instance_for_test

from spatial_pipeline.check import base
from spatial_pipeline.check.base import FeatureCheck
from spatial_pipeline.check.engine import catalogue
from spatial_pipeline.contract.rules.validity import NotEmpty
from spatial_pipeline.model.features import FeatureBatch
from spatial_pipeline.model.violations import Violations
from spatial_pipeline.orchestration.assets import published_key, staged_key
from spatial_pipeline.orchestration.run_end import run_end
from spatial_pipeline_tests.orchestration.projects import BAD, GOOD, Project, run

STAGED = dg.AssetSelection.assets(staged_key("points"))
PUBLISHED = dg.AssetSelection.assets(published_key("points"))


def check_key(name: str) -> dg.AssetCheckKey:
    return dg.AssetCheckKey(staged_key("points"), name)


@pytest.fixture
def instance() -> Iterator[dg.DagsterInstance]:
    with instance_for_test() as made:
        yield made


@pytest.fixture
def project(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Project:
    """A project whose good version is published."""
    monkeypatch.setenv("SPATIAL_STORE", str(tmp_path / "store"))
    made = Project(tmp_path)
    made.supply(GOOD)
    pipeline = made.pipeline
    version = pipeline.stage(made.contract)
    asyncio.run(pipeline.audit(made.contract, version))
    pipeline.publish(made.contract, version)
    assert made.published_rows() == 3
    return made


@pytest.fixture
def kept(project: Project) -> Iterator[str]:
    """The version that must still be published, byte for byte, when the test ends."""
    version = project.pipeline.store.published_version("points", None)
    data = project.pipeline.store.data_path(version)
    before = data.read_bytes()
    yield version.id
    assert project.published() == version.id
    assert data.read_bytes() == before
    assert project.published_rows() == 3


def replace_check(monkeypatch: pytest.MonkeyPatch, check: type[FeatureCheck[Any]]) -> None:
    catalogue.load()
    monkeypatch.setattr(base, "CHECKS", {**base.CHECKS, (NotEmpty, None): check})


def materialized(result: dg.ExecuteInProcessResult) -> set[str]:
    return {e.asset_key.to_user_string() for e in result.get_asset_materialization_events()}


def failure(result: dg.ExecuteInProcessResult) -> str:
    events = result.filter_events(lambda e: e.is_step_failure)
    return "\n".join(str(e.step_failure_data.user_failure_data or e.message) for e in events)


def descriptions(result: dg.ExecuteInProcessResult) -> list[str]:
    """What the UI shows first of every failed step."""
    events = result.filter_events(lambda e: e.is_step_failure)
    told = [e.step_failure_data.user_failure_data for e in events]
    return [(t and t.description) or "" for t in told]


def test_a_check_fails_in_the_same_run(
    project: Project, kept: str, instance: dg.DagsterInstance
) -> None:
    project.supply(BAD)
    result = run(project.definitions(), instance)
    assert not result.success
    assert materialized(result) == {"points/staged"}
    evaluations = {e.check_name: e.passed for e in result.get_asset_check_evaluations()}
    assert evaluations == {
        "readable": True,
        "staged_matches_source": True,
        "not_empty": False,
        "feature_count": True,
    }
    assert descriptions(result) == [
        "held: 1 rule fails: not_empty (1)\n\nnot_empty: failed: 1 × the geometry is null"
    ]
    assert not run_end(result, "points").errors


def test_the_downstream_is_launched_alone_afterwards(
    project: Project, kept: str, instance: dg.DagsterInstance
) -> None:
    project.supply(BAD)
    run(project.definitions(), instance)
    result = run(project.definitions(), instance, PUBLISHED)
    assert not result.success
    assert materialized(result) == set()
    assert "not_empty: failed" in failure(result)
    (said,) = descriptions(result)
    assert said.startswith("held: 1 rule fails: not_empty (1)\n\npoints@")


def test_staged_is_materialized_without_checks_then_the_downstream(
    project: Project, kept: str, instance: dg.DagsterInstance
) -> None:
    project.supply(BAD)
    assert run(project.definitions(), instance, STAGED, checks=[]).success
    result = run(project.definitions(), instance, PUBLISHED)
    assert not result.success
    assert "never checked" in failure(result)


def test_everything_without_checks_in_one_run(
    project: Project, kept: str, instance: dg.DagsterInstance
) -> None:
    project.supply([[5, 5]])
    result = run(project.definitions(), instance, STAGED | PUBLISHED, checks=[])
    assert not result.success
    assert materialized(result) == {"points/staged"}


def test_a_check_that_raises(
    project: Project, kept: str, instance: dg.DagsterInstance, monkeypatch: pytest.MonkeyPatch
) -> None:
    class Raises(FeatureCheck[Any]):
        def check(self, batch: FeatureBatch) -> Violations:
            raise RuntimeError("a bug in the rule")

    replace_check(monkeypatch, Raises)
    project.supply([[5, 5]])
    result = run(project.definitions(), instance)
    assert materialized(result) == {"points/staged"}
    by_name = {e.check_name: e for e in result.get_asset_check_evaluations()}
    assert set(by_name) == {"readable", "staged_matches_source", "not_empty", "feature_count"}
    assert by_name["not_empty"].description == "RuntimeError: a bug in the rule"
    assert not run(project.definitions(), instance, PUBLISHED).success


def test_a_check_that_times_out(
    project: Project, kept: str, instance: dg.DagsterInstance, monkeypatch: pytest.MonkeyPatch
) -> None:
    release = threading.Event()

    class Hangs(FeatureCheck[Any]):
        def check(self, batch: FeatureBatch) -> Violations:
            release.wait(30)
            return Violations.none()

    replace_check(monkeypatch, Hangs)
    rules = [{"rule": "not_empty", "timeout_s": 0.2}, {"rule": "feature_count", "min": 1}]
    project.contract = project.reading(rules=rules)
    project.supply([[5, 5]])
    result = run(project.definitions(), instance)
    release.set()
    assert materialized(result) == {"points/staged"}
    statuses = {
        e.check_name: e.metadata["status"].value for e in result.get_asset_check_evaluations()
    }
    assert statuses == {
        "readable": "passed",
        "staged_matches_source": "passed",
        "not_empty": "timeout",
        "feature_count": "passed",
    }
    assert "not_empty: timeout" in failure(run(project.definitions(), instance, PUBLISHED))


def test_a_check_deselected_in_a_subset_run(
    project: Project, kept: str, instance: dg.DagsterInstance
) -> None:
    project.supply(BAD)
    some = [check_key("readable"), check_key("feature_count")]
    result = run(project.definitions(), instance, STAGED | PUBLISHED, checks=some)
    assert {e.check_name for e in result.get_asset_check_evaluations()} == {
        "readable",
        "feature_count",
    }
    assert not result.success
    assert materialized(result) == {"points/staged"}
    assert "not_empty: never checked" in failure(result)


def test_the_contract_is_tightened_after_the_verdict(
    project: Project, kept: str, instance: dg.DagsterInstance
) -> None:
    project.contract = project.reading(
        rules=[{"rule": "not_empty"}, {"rule": "feature_count", "min": 2}]
    )
    result = run(project.definitions(), instance, PUBLISHED)
    assert not result.success
    assert "feature_count: the rule changed since it was checked" in failure(result)


def test_the_check_op_itself_breaks(
    project: Project, kept: str, instance: dg.DagsterInstance, monkeypatch: pytest.MonkeyPatch
) -> None:
    async def broken(*_: Any, **__: Any) -> None:
        raise OSError("the store is away")

    monkeypatch.setattr("spatial_pipeline.pipeline.pipeline.Pipeline.audit", broken)
    project.supply([[5, 5]])
    result = run(project.definitions(), instance)
    evaluations = {e.check_name: e.passed for e in result.get_asset_check_evaluations()}
    assert evaluations == {
        "readable": False,
        "staged_matches_source": False,
        "not_empty": False,
        "feature_count": False,
    }
    assert materialized(result) == {"points/staged"}
    assert not run(project.definitions(), instance, PUBLISHED).success


def test_a_rule_without_a_result(
    project: Project, kept: str, instance: dg.DagsterInstance, monkeypatch: pytest.MonkeyPatch
) -> None:
    """What a lost yield does: the gate stays closed, and Dagster is told."""
    from spatial_pipeline.pipeline import pipeline

    whole = pipeline.evaluate

    async def loses(rules: Any, *args: Any, **kwargs: Any) -> Any:
        return [e for e in await whole(rules, *args, **kwargs) if e[0].rule != "not_empty"]

    monkeypatch.setattr(pipeline, "evaluate", loses)
    project.supply([[5, 5]])
    result = run(project.definitions(), instance)
    by_name = {e.check_name: e for e in result.get_asset_check_evaluations()}
    assert not by_name["not_empty"].passed
    assert "not_empty: never checked" in failure(run(project.definitions(), instance, PUBLISHED))


def test_an_unreadable_source(project: Project, kept: str, instance: dg.DagsterInstance) -> None:
    (project.folder / "points.geojson").write_text('{"type": "FeatureCollection", "feat')
    result = run(project.definitions(), instance)
    assert materialized(result) == {"points/staged"}
    by_name = {e.check_name: e for e in result.get_asset_check_evaluations()}
    assert not any(e.passed for e in by_name.values())
    assert "points.geojson" in (by_name["readable"].description or "")


def test_a_missing_source(project: Project, kept: str, instance: dg.DagsterInstance) -> None:
    (project.folder / "points.geojson").unlink()
    result = run(project.definitions(), instance)
    assert materialized(result) == {"points/staged"}
    assert not run(project.definitions(), instance, PUBLISHED).success


def test_a_failed_publication_is_never_retried(
    project: Project, kept: str, instance: dg.DagsterInstance
) -> None:
    project.supply(BAD)
    run(project.definitions(), instance)
    with pytest.raises(dg.Failure) as caught:
        run(project.definitions(), instance, PUBLISHED, raise_on_error=True)
    assert caught.value.allow_retries is False
    assert caught.value.metadata["still_published"].value == kept


def test_the_gate_opens_when_the_source_is_mended(
    project: Project, instance: dg.DagsterInstance
) -> None:
    project.supply(BAD)
    run(project.definitions(), instance)
    project.supply([*GOOD, [7, 7]])
    assert run(project.definitions(), instance).success
    assert project.published_rows() == 4


def test_a_check_only_run_opens_the_gate(project: Project, instance: dg.DagsterInstance) -> None:
    project.supply([[5, 5]])
    run(project.definitions(), instance, STAGED, checks=[])
    names = ["readable", "staged_matches_source", "not_empty", "feature_count"]
    checks = dg.AssetSelection.checks(*(check_key(n) for n in names))
    assert run(
        project.definitions(), instance, checks, checks=[check_key(n) for n in names]
    ).success
    assert run(project.definitions(), instance, PUBLISHED).success
    assert project.published_rows() == 1


def flipped(path: Path) -> None:
    """Changes two bytes of the coordinates; the file stays one that can be read."""
    chunks = pq.read_metadata(path).row_group(0)
    (geometry,) = (
        c for c in map(chunks.column, range(chunks.num_columns)) if c.path_in_schema == "geometry"
    )
    content = bytearray(path.read_bytes())
    for back in (2, 3):
        content[geometry.data_page_offset + geometry.total_compressed_size - back] ^= 1
    path.write_bytes(content)


@pytest.mark.parametrize("how", ["bytes", "verdict"])
def test_published_alone_refuses_what_was_changed_since_the_check(
    project: Project, kept: str, instance: dg.DagsterInstance, how: str
) -> None:
    project.supply([*GOOD, [3, 3]] if how == "bytes" else BAD)
    run(project.definitions(), instance, STAGED)
    version = project.pipeline.store.staged_version("points", None)
    checks = [check_key(n) for n in ("readable", "staged_matches_source", "not_empty")]
    checks.append(check_key("feature_count"))
    run(project.definitions(), instance, dg.AssetSelection.checks(*checks), checks=checks)
    folder = project.pipeline.store.path(version)
    if how == "bytes":
        assert project.pipeline.decide(project.contract, version).open
        flipped(folder / "data.parquet")
    else:
        text = (folder / "verdict.json").read_text()
        verdict = json.loads(text)
        for result in verdict["results"]:
            result.update(status="passed", passed=True, violations=0)
        (folder / "verdict.json").write_text(json.dumps(verdict))
    result = run(project.definitions(), instance, PUBLISHED)
    assert not result.success
    said = "its files changed" if how == "bytes" else "never checked"
    assert said in failure(result)


def test_a_whole_run_heals_a_version_that_was_changed(
    project: Project, instance: dg.DagsterInstance
) -> None:
    version = project.pipeline.store.published_version("points", None)
    data = project.pipeline.store.data_path(version)
    before = data.read_bytes()
    flipped(data)
    assert not run(project.definitions(), instance, PUBLISHED).success
    assert run(project.definitions(), instance).success
    assert data.read_bytes() == before
    assert project.published() == version.id


def test_a_graded_rule_warns_and_publishes_then_blocks(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, instance: dg.DagsterInstance
) -> None:
    monkeypatch.setenv("SPATIAL_STORE", str(tmp_path / "store"))
    graded = Project(tmp_path, rules=[{"rule": "not_empty", "warn_at": 1, "error_at": 2}])
    graded.supply(BAD)
    first = run(graded.definitions(), instance)
    (told,) = [e for e in first.get_asset_check_evaluations() if e.check_name == "not_empty"]
    assert (first.success, told.passed, told.severity) == (True, False, dg.AssetCheckSeverity.WARN)
    version = graded.published()
    assert version is not None
    graded.supply([None, None, [2, 2]])
    second = run(graded.definitions(), instance)
    (told,) = [e for e in second.get_asset_check_evaluations() if e.check_name == "not_empty"]
    assert (second.success, told.severity) == (False, dg.AssetCheckSeverity.ERROR)
    assert "is held: not_empty: failed" in failure(second)
    assert graded.published() == version
