"""Outdated is what would be built otherwise today; what is held waits for its source."""

from __future__ import annotations

import asyncio
from pathlib import Path
from typing import Any

import pytest

from spatial_pipeline.contract import source
from spatial_pipeline.contract.models import VectorContract
from spatial_pipeline.errors import GateClosedError
from spatial_pipeline.pipeline.pipeline import Pipeline
from spatial_pipeline.pipeline.staleness import outdated
from spatial_pipeline.settings import Settings
from spatial_pipeline_tests.orchestration.schema_location import write_source

KEYS = ["p01", "p02", "p03"]


class Project:
    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.contract = self.reading()
        for key in KEYS:
            write_source(folder, key, [1, 2])

    def reading(self, kind: str = "integer", **more: Any) -> VectorContract:
        return VectorContract.model_validate(
            {
                "name": "parcels",
                "source": {"uri": str(self.folder / "{partition}.geojson")},
                "partitions": {"static": KEYS},
                "on_schema_change": "backfill",
                "rules": [{"rule": "columns", "schema": {"code": kind}}],
                **more,
            }
        )

    @property
    def pipeline(self) -> Pipeline:
        return Pipeline.of([self.contract], Settings(store=self.folder / "store"))

    def build(self, *keys: str) -> None:
        """Stages, checks and publishes; what is held stays held."""
        for key in keys:
            version = self.pipeline.stage(self.contract, key)
            asyncio.run(self.pipeline.audit(self.contract, version))
            try:
                self.pipeline.publish(self.contract, version)
            except GateClosedError:
                continue

    def outdated(self) -> dict[str, str]:
        return {o.partition: o.why for o in outdated(self.pipeline, self.contract, KEYS)}


@pytest.fixture
def project(tmp_path: Path) -> Project:
    made = Project(tmp_path)
    made.build("p01", "p02")
    return made


def test_what_was_never_built_is_not_built_again(project: Project) -> None:
    assert project.outdated() == {}
    project.contract = project.reading("any")
    assert project.outdated() == dict.fromkeys(["p01", "p02"], "built under another contract")


def test_a_warning_is_part_of_the_contract_too(project: Project) -> None:
    rules = [*project.contract.model_dump(by_alias=True)["rules"]]
    project.contract = project.reading(rules=[*rules, {"rule": "not_empty", "severity": "warn"}])
    assert list(project.outdated()) == ["p01", "p02"]
    project.build("p01")
    assert list(project.outdated()) == ["p02"]


def test_other_source_options(project: Project) -> None:
    source = {"uri": str(project.folder / "{partition}.geojson"), "where": "code > 1"}
    project.contract = project.reading(source=source)
    why = "staged with other source options or ingest code"
    assert project.outdated() == dict.fromkeys(["p01", "p02"], why)
    project.build("p01", "p02")
    assert project.outdated() == {}


def test_other_ingest_code(project: Project, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(source, "INGEST_VERSION", source.INGEST_VERSION + 1)
    assert list(project.outdated()) == ["p01", "p02"]


def test_a_changed_source_alone_is_no_business_of_a_backfill(project: Project) -> None:
    write_source(project.folder, "p01", [5])
    assert project.outdated() == {}


def test_held_until_its_source_changes(project: Project) -> None:
    project.contract = project.reading("string")
    project.build("p01", "p02")
    assert project.pipeline.store.published_version("parcels", "p01")
    assert project.outdated() == {}
    write_source(project.folder, "p02", ["a"])
    assert project.outdated() == {"p02": "held, and its source has changed since"}
    (found,) = outdated(project.pipeline, project.contract, KEYS)
    write_source(project.folder, "p02", ["a", "b"])
    (other,) = outdated(project.pipeline, project.contract, KEYS)
    assert found.basis != other.basis
    project.build("p02")
    assert project.outdated() == {}


def test_a_source_that_goes_and_comes(project: Project) -> None:
    project.contract = project.reading("string")
    project.build("p01", "p02")
    path = project.folder / "p02.geojson"
    path.unlink()
    assert list(project.outdated()) == ["p02"]
    project.build("p02")
    assert project.outdated() == {}
    write_source(project.folder, "p02", ["a"])
    assert list(project.outdated()) == ["p02"]


def test_a_former_schema_whose_source_changed(project: Project) -> None:
    project.contract = project.reading("any")
    project.build("p01", "p02")
    write_source(project.folder, "p02", ["text"])
    write_source(project.folder, "p01", [8])
    assert project.outdated() == {}
    project.build("p02")
    _published_later(project, "p02")
    why = "published with a former schema, and its source has changed"
    assert project.outdated() == {"p01": why}
    project.build("p01")
    assert project.outdated() == {}


def _published_later(project: Project, key: str) -> None:
    from dataclasses import replace

    store = project.pipeline.store
    publication = store.published("parcels", key)
    assert publication is not None
    store.switch("parcels", key, replace(publication, published_at="2099-01-01T00:00:00+00:00"))


def test_killed_between_the_steps(project: Project) -> None:
    project.contract = project.reading("any")
    version = project.pipeline.stage(project.contract, "p01")
    assert project.outdated()["p01"] == "built under another contract"
    asyncio.run(project.pipeline.audit(project.contract, version))
    assert project.outdated()["p01"] == "proven, but not published"
    project.pipeline.publish(project.contract, version)
    assert list(project.outdated()) == ["p02"]


def test_a_version_that_somebody_deleted(project: Project) -> None:
    project.contract = project.reading("string")
    project.build("p01")
    write_source(project.folder, "p01", ["x"])
    version = project.pipeline.stage(project.contract, "p01")
    (project.pipeline.store.path(version) / "profile.json").unlink()
    assert project.outdated()["p01"] == "built under another contract"


def test_a_pointer_from_before_this_was_kept(project: Project) -> None:
    path = project.pipeline.store.folder("parcels", "p01") / "staged.json"
    version = project.pipeline.store.staged_version("parcels", "p01")
    path.write_text('{"version": "' + version.id + '"}')
    assert project.outdated() == {}


def test_in_the_order_of_the_keys(project: Project) -> None:
    project.contract = project.reading("any")
    found = outdated(project.pipeline, project.contract, ["p02", "p03", "p01"])
    assert [o.partition for o in found] == ["p02", "p01"]
