from __future__ import annotations

import asyncio
from pathlib import Path

from spatial_pipeline.errors import GateClosedError
from spatial_pipeline.pipeline.charted_history import charted_history
from spatial_pipeline_tests.orchestration.projects import BAD, GOOD, Project


def deliver(project: Project, points: list[list[float]]) -> str:
    project.supply(points)
    version = project.pipeline.stage(project.contract)
    asyncio.run(project.pipeline.audit(project.contract, version))
    try:
        project.pipeline.publish(project.contract, version)
    except GateClosedError:
        return f"{version.id} held"
    return version.id


def test_every_version_is_told_with_its_verdict_and_publication(tmp_path: Path) -> None:
    project = Project(tmp_path)
    first = deliver(project, GOOD)
    assert deliver(project, BAD).endswith("held")
    last = deliver(project, [[3, 3]])
    store, name = project.pipeline.store, project.contract.name
    told = charted_history(store, name, None)
    assert [v.version for v in told.versions][::2] == [first, last]
    assert [v.state for v in told.versions] == ["published before", "held", "published"]
    assert [sum(v.violations.values()) > 0 for v in told.versions] == [False, True, False]
    assert [v.published_at is None for v in told.versions] == [False, True, False]
    publication = store.published(name, None)
    assert publication is not None
    assert told.readers_see == f"{last}, since {publication.published_at}"
    assert told.versions[2].published_at == publication.published_at
    asyncio.run(project.pipeline.roll_back(project.contract))
    states = [v.state for v in charted_history(store, name, None).versions]
    assert states == ["published", "held", "withdrawn"]
    assert len(charted_history(store, name, None, most=1).versions) == 1


def test_a_dataset_that_was_never_published(tmp_path: Path) -> None:
    project = Project(tmp_path)
    assert charted_history(project.pipeline.store, "unknown", None).versions == ()
    project.supply(GOOD)
    project.pipeline.stage(project.contract)
    told = charted_history(project.pipeline.store, project.contract.name, None)
    assert [v.state for v in told.versions] == ["not checked"]
    assert told.readers_see == "nothing yet"
