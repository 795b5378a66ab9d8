"""One look of a source sensor at every kind of source."""

from __future__ import annotations

import os
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from spatial_pipeline.contract.models import VectorContract
from spatial_pipeline.orchestration import sensors
from spatial_pipeline.orchestration.schedules import job_of
from spatial_pipeline.orchestration.source_watch import snapshot
from spatial_pipeline.orchestration.source_watch.cursor import WHOLE, Cursor
from spatial_pipeline.orchestration.source_watch.snapshot import look_at
from spatial_pipeline.settings import Settings
from spatial_pipeline_tests.ingest.tables import Database, database
from spatial_pipeline_tests.orchestration.projects import GOOD, write_points
from spatial_pipeline_tests.sources.web import Web, serving

__all__ = ["database"]


@pytest.fixture
def web() -> Iterator[Web]:
    with serving() as served:
        yield served


def contract(uri: str, **more: Any) -> VectorContract:
    source = {"uri": uri, **more.pop("source", {})}
    return VectorContract.model_validate({"name": "a", "source": source, "watch": True, **more})


def test_a_web_server_is_asked_for_every_partition(web: Web) -> None:
    for key in ("n", "s"):
        web.put(f"/{key}.geojson", b"1", headers={"ETag": f'"{key}1"'})
    watched = contract(f"{web.url}/{{partition}}.geojson", partitions={"static": ["n", "s", "w"]})
    first = look_at(watched, Settings(), ["n", "s", "w"])
    assert set(first.tokens) == {"n", "s"}
    assert first.blind == set()
    assert len(first.troubles) == 1
    assert "w" in first.troubles[0]

    web.put("/s.geojson", b"1", headers={"ETag": '"s2"'})
    second = look_at(watched, Settings(), ["n", "s", "w"])
    assert second.tokens["n"] == first.tokens["n"]
    assert second.tokens["s"] != first.tokens["s"]


def test_a_server_that_is_away_changes_nothing_that_is_remembered() -> None:
    for uri, keys, more in (
        ("http://127.0.0.1:1/a.geojson", [WHOLE], {}),
        ("http://127.0.0.1:1/{partition}.geojson", ["k"], {"partitions": {"static": ["k"]}}),
        ("postgresql://x@127.0.0.1:1/d?table=t", [WHOLE], {}),
    ):
        look = look_at(contract(uri, **more), Settings(), keys)
        assert look.tokens == {}
        assert len(look.troubles) == 1
        known = Cursor(1, {keys[0]: ("t", 1), "other": ("u", 1)})
        assert look.remembered(known) == {keys[0]: "t"}


def test_no_time_is_a_reason_and_no_answer(web: Web, monkeypatch: pytest.MonkeyPatch) -> None:
    web.put("/k.geojson", b"1")
    monkeypatch.setattr(snapshot, "BUDGET_S", 0.0)
    keys = {"static": ["k"]}
    look = look_at(contract(f"{web.url}/{{partition}}.geojson", partitions=keys), Settings(), ["k"])
    assert look.blind == {"k"}
    assert look.troubles == ["1 of 1 gave no answer within 0 s"]


def test_what_cannot_be_listed_says_what_to_do(web: Web) -> None:
    dynamic = {"dynamic": "tiles"}
    look = look_at(
        contract("postgresql:?table=t_{partition}", partitions=dynamic), Settings(), None
    )
    assert look.troubles == ["tables cannot be listed: partitions: {static: [...]} names them"]
    look = look_at(contract(f"{web.url}/{{partition}}.csv", partitions=dynamic), Settings(), None)
    assert look.blind is None
    assert len(look.troubles) == 1
    assert look.remembered(Cursor(1, {"k": ("t", 1)})) == {"k": "t"}


def test_tables_by_partition(database: Database) -> None:
    database.sql("CREATE TABLE look_n (id int)", "CREATE TABLE look_s (id int)")
    settings = Settings(database_url=database.uri)
    watched = contract("postgresql:?table=look_{partition}", partitions={"static": ["n", "s"]})
    assert set(look_at(watched, settings, ["n", "s"]).tokens) == {"n", "s"}


def test_names_that_are_no_partitions_are_told(tmp_path: Path) -> None:
    write_points(tmp_path / "a...b.geojson", GOOD)
    write_points(tmp_path / "c.geojson", GOOD)
    watched = contract(str(tmp_path / "{partition}.geojson"), partitions={"dynamic": "tiles"})
    look = look_at(watched, Settings(), None)
    assert set(look.tokens) == {"c"}
    assert look.troubles == ["'a...b' cannot be the name of a partition"]


def test_only_partitions_of_the_contract_are_taken(tmp_path: Path) -> None:
    for key in ("n", "s", "stray"):
        write_points(tmp_path / f"{key}.geojson", GOOD)
    watched = contract(str(tmp_path / "{partition}.geojson"), partitions={"static": ["n", "s"]})
    assert set(look_at(watched, Settings(), ["n", "s"]).tokens) == {"n", "s"}


def test_sources_that_are_not_allowed_are_not_looked_at(tmp_path: Path) -> None:
    write_points(tmp_path / "a.geojson", GOOD)
    watched = contract(str(tmp_path / "a.geojson"))
    look = look_at(watched, Settings(allowed_sources=(str(tmp_path / "other"),)), [WHOLE])
    assert look.tokens == {}
    assert "SPATIAL_ALLOWED_SOURCES" in look.troubles[0]


def test_what_begins_switched_on(monkeypatch: pytest.MonkeyPatch) -> None:
    watched = contract("a.geojson")
    for value, expected in (("", "RUNNING"), ("false", "STOPPED")):
        if value:
            monkeypatch.setitem(os.environ, "SPATIAL_AUTOSTART", value)
        sensor = sensors.source_sensor(watched, job_of(watched))
        assert sensor is not None
        assert sensor.default_status.value == expected
