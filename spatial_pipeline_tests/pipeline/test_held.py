"""What is held, from the store alone and against the contract of today."""

from __future__ import annotations

import asyncio
import json
import os
from pathlib import Path
from typing import Any

import pytest
from typer.testing import CliRunner

from spatial_pipeline.alert.incidents import observe
from spatial_pipeline.alert.problems import Key, Kind, Observation, rule_key
from spatial_pipeline.cli import app
from spatial_pipeline.pipeline.held import inventory, observation
from spatial_pipeline_tests.alert.cases import fact
from spatial_pipeline_tests.orchestration.projects import BAD, GOOD, Project


@pytest.fixture
def project(tmp_path: Path) -> Project:
    return Project(tmp_path)


def stage(project: Project, points: list[Any], *, audit: bool = True, publish: bool = False) -> str:
    pipeline, contract = project.pipeline, project.contract
    project.supply(points)
    version = pipeline.stage(contract)
    if audit:
        asyncio.run(pipeline.audit(contract, version))
    if publish:
        pipeline.publish(contract, version)
    return version.id


def listed(project: Project, *, contract: bool = False) -> list[tuple[str, tuple[str, ...]]]:
    contracts = {"points": project.contract} if contract else None
    return [(s.state, s.reasons) for s in inventory(project.pipeline.store, contracts)]


def test_nothing_staged_and_everything_published(project: Project) -> None:
    assert listed(project) == []
    stage(project, GOOD, publish=True)
    assert listed(project) == []
    assert listed(project, contract=True) == []


def test_held_since_the_first_version_that_readers_did_not_get(project: Project) -> None:
    seen = stage(project, GOOD, publish=True)
    first = stage(project, BAD)
    stage(project, [*BAD, [3, 3]])
    store = project.pipeline.store
    at = 1_800_000_000
    for i, version in enumerate(reversed(store.versions("points", None))):
        os.utime(store.path(version) / "profile.json", (at + 3600 * i, at + 3600 * i))
    (only,) = inventory(store)
    assert (only.state, only.readers_see) == ("held", seen)
    assert only.version not in (seen, first)
    assert only.since == "2027-01-15T09:00:00+00:00"
    assert only.reasons == ("not_empty: failed: 1 × the geometry is null",)


def test_never_checked(project: Project) -> None:
    stage(project, GOOD, audit=False)
    assert listed(project) == [("unchecked", ("never checked",))]


def test_passed_and_not_published(project: Project) -> None:
    stage(project, GOOD)
    assert listed(project) == [("unpublished", ("it passed but was not published",))]


def test_published_and_failed_when_checked_again(project: Project) -> None:
    stage(project, GOOD, publish=True)
    project.contract = project.reading(rules=[{"rule": "feature_count", "min": 9}])
    stage(project, GOOD)
    (only,) = inventory(project.pipeline.store)
    assert (only.state, only.readers_see) == ("held", only.version)


def test_a_contract_that_changed_says_more(project: Project) -> None:
    stage(project, GOOD)
    project.contract = project.reading(rules=[{"rule": "feature_count", "min": 2}])
    assert listed(project)[0][0] == "unpublished"
    assert listed(project, contract=True) == [
        ("held", ("feature_count: the rule changed since it was checked",))
    ]


def test_a_verdict_that_is_damaged_is_none(project: Project) -> None:
    stage(project, GOOD)
    store = project.pipeline.store
    (store.path(store.staged_version("points", None)) / "verdict.json").write_text("{")
    assert listed(project) == [("unchecked", ("never checked",))]


def test_what_is_held_becomes_an_incident_unless_one_is_open(project: Project) -> None:
    stage(project, BAD)
    store = project.pipeline.store
    incidents, changes = observe({}, observation(store, 5.0, {}, []))
    (change,) = changes
    assert change.fact.key == Key("points", None, Kind.HELD, "published")
    assert "not_empty: failed" in change.fact.summary
    # Known already, from an earlier tick or from this one.
    rule = fact(rule_key("points", None, "not_empty"))
    known, _ = observe({}, Observation.of(1.0, [rule]))
    assert observation(store, 5.0, known, []).facts == ()
    assert observation(store, 5.0, {}, [Observation.of(1.0, [rule])]).facts == ()
    # And when readers get it again, without Dagster, all of it is over.
    stage(project, GOOD, publish=True)
    both, _ = observe(incidents, Observation.of(1.0, [rule]))
    after, changes = observe(both, observation(store, 9.0, both, []))
    assert after == {}
    assert [c.what.value for c in changes] == ["closed", "closed"]


def test_the_command(project: Project, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("SPATIAL_STORE", str(project.folder / "store"))
    contract = project.folder / "points.yaml"
    written = {
        "type": "spatial_pipeline.VectorDataset",
        "attributes": {
            "name": "points",
            "source": {"uri": "points.geojson"},
            "key": ["id"],
            "rules": [{"rule": "not_empty"}, {"rule": "feature_count", "min": 1}],
        },
    }
    contract.write_text(json.dumps(written))
    call = ["held", "--contracts", str(contract)]
    done = CliRunner().invoke(app, call)
    assert (done.exit_code, done.stdout) == (0, "nothing is held\n")
    version = stage(project, BAD)
    done = CliRunner().invoke(app, call)
    assert done.exit_code == 1
    assert "not_empty: failed" in done.stdout
    done = CliRunner().invoke(app, [*call, "--json"])
    (held,) = json.loads(done.stdout)["held"]
    assert (held["dataset"], held["version"], held["state"]) == ("points", version, "held")
    contract.write_text("type: spatial_pipeline.VectorDatset")
    done = CliRunner().invoke(app, call)
    assert done.exit_code == 2
    assert "did you mean" in done.stderr
