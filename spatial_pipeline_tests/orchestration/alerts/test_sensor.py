"""Alerts through the real sensor daemon: what fails reaches real receivers, once, in order."""

from __future__ import annotations

import asyncio
import base64
import json
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path

import dagster as dg
import geopandas
import pytest
from click.testing import Result
from dagster._core.scheduler.instigation import TickStatus
from dagster._core.test_utils import freeze_time
from dagster._daemon.freshness import FreshnessDaemon
from typer.testing import CliRunner

from spatial_pipeline.cli import app
from spatial_pipeline.model.version import Version
from spatial_pipeline.orchestration.alerts.run_reader import INVENTORY
from spatial_pipeline.orchestration.assets import published_key
from spatial_pipeline.orchestration.inventory import CHECK, inventory_asset
from spatial_pipeline.pipeline.pipeline import Pipeline
from spatial_pipeline_tests.orchestration.alert_daemon import FINE, World, running_world
from spatial_pipeline_tests.orchestration.alerts_location import KEYS, few, tiles
from spatial_pipeline_tests.orchestration.projects import BAD, GOOD, run

MOSAIC = dg.AssetSelection.assets("mosaic")


@pytest.fixture(scope="module", params=["sqlite", "postgres"])
def running(
    request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[World]:
    """One world for all tests of a storage: each uses partitions of its own."""
    cluster = request.getfixturevalue("postgres") if request.param == "postgres" else None
    with running_world(request.param, tmp_path_factory.mktemp("world"), cluster) as made:
        yield made


@pytest.fixture
def world(running: World, monkeypatch: pytest.MonkeyPatch) -> World:
    for name, value in running.environment.items():
        monkeypatch.setenv(name, value)
    running.hook.down = running.mail.down = False
    running.hook.received.clear()
    running.mail.received.clear()
    return running


def test_a_failure_from_the_first_message_to_the_last(world: World) -> None:
    assert world.build("p00")
    tick = world.tick()
    assert tick.status is TickStatus.SKIPPED
    assert world.hook.received == []

    world.supply("p01", BAD)
    assert not world.build("p01")
    world.tick()
    assert world.hook.told == [
        ("opened", "tiles", "p01", "feature_count"),
        ("opened", "tiles", "p01", "not_empty"),
    ]
    (failed,) = world.hook.received
    warned, told = failed["alerts"]
    assert warned["severity"] == "warn"
    assert failed["title"] == "tiles[p01] is held: not_empty fails"
    assert "Readers see:  nothing yet" in failed["message"]
    assert "spatial-pipeline run tiles --partition p01" in failed["message"]
    (only,) = [r for r in world.instance.get_runs() if not r.is_success]
    assert (told["violations"], told["checked"], told["run_id"]) == (1, 3, only.run_id)
    assert told["links"]["run"] == f"http://ui/runs/{only.run_id}"
    assert Path(told["violation_layer"]).is_file()
    assert [str(m["Subject"]) for m in world.mail.received] == [
        r["title"] for r in world.hook.received
    ]
    assert world.mail.ids == [f"<{i}@spatial-pipeline.alerts>" for i in world.hook.ids]

    # Nothing new, nothing told; the same again is nothing new.
    world.tick()
    assert not world.build("p01")
    world.tick()
    assert len(world.hook.received) == 1

    # The published asset alone walks past Dagster's blocking check: the gate holds it.
    alone = dg.AssetSelection.assets(published_key("tiles"))
    assert not world.build("p01", alone)
    world.tick()
    assert world.hook.told[2:] == [("opened", "tiles", "p01", "published")]
    assert "not_empty" in world.hook.received[1]["alerts"][0]["summary"]

    world.supply("p01", FINE)
    assert world.build("p01")
    world.tick()
    assert sorted(world.hook.told[3:]) == [
        ("closed", "tiles", "p01", "feature_count"),
        ("closed", "tiles", "p01", "not_empty"),
        ("closed", "tiles", "p01", "published"),
    ]
    assert world.hook.received[2]["title"].startswith("tiles[p01] passes again after ")
    assert "Readers see:  version " in world.hook.received[2]["message"]
    assert len(set(world.hook.ids)) == len(world.hook.ids) == len(world.mail.ids) == 3


def test_a_channel_down_for_ten_ticks(world: World) -> None:
    world.mail.down = True
    for key in KEYS[2:12]:
        world.supply(key, GOOD)
        assert world.report(tiles(), key) == 1
        world.tick()
    assert world.mail.received == []
    expected = [f"tiles[{k}] has a warning: feature_count fails" for k in KEYS[2:12]]
    about_tiles = [r["title"] for r in world.hook.received if r["alerts"][0]["kind"] == "rule"]
    assert about_tiles == expected
    about_mail = [a for r in world.hook.received for a in r["alerts"] if a["kind"] == "channel"]
    assert [(a["what"], a["name"]) for a in about_mail] == [("opened", "mail")]
    world.mail.down = False
    world.tick()
    assert [str(m["Subject"]) for m in world.mail.received] == expected
    assert world.hook.received[-1]["title"] == "The alert channel mail takes messages again"
    assert len(set(world.hook.ids)) == len(world.hook.ids) == 12


def test_failed_runs_and_checks_that_never_came_to_their_turn(world: World) -> None:
    (world.folder / "fail").touch()
    assert not run(few(), world.instance, MOSAIC).success
    world.tick()
    assert world.hook.told == [("opened", "mosaic", None, "mosaic")]
    assert "OSError: disk full" in world.hook.received[0]["message"]
    (world.folder / "fail").unlink()
    assert run(few(), world.instance, MOSAIC).success
    world.tick()
    assert world.hook.told[1:] == [("closed", "mosaic", None, "mosaic")]

    # A store that cannot be written fails the staging; no check comes to its turn.
    store = world.folder / "store"
    store.rename(world.folder / "aside")
    store.write_text("in the way")
    assert not world.build("p12")
    store.unlink()
    (world.folder / "aside").rename(store)
    world.tick()
    assert world.hook.told[2:] == [("opened", "tiles", "p12", "tiles__staged")]
    assert "5 of 5 rules never came to their turn: " in world.hook.received[2]["message"]
    assert world.build("p12")
    world.tick()
    assert world.hook.told[3:] == [("closed", "tiles", "p12", "tiles__staged")]


def test_late_data(world: World) -> None:
    def look(minutes: int) -> None:
        with freeze_time(datetime.now(UTC) + timedelta(minutes=minutes)):
            list(FreshnessDaemon().run_iteration(world.daemon.workspace))
        world.tick()

    world.instance.report_runless_asset_event(dg.AssetMaterialization(published_key("storm")))
    look(0)
    assert world.hook.received == []
    look(10)
    look(20)
    assert world.hook.told == [("opened", "storm", None, "published")]
    assert "storm/published is late since " in world.hook.received[0]["message"]
    world.instance.report_runless_asset_event(dg.AssetMaterialization(published_key("storm")))
    look(1)
    assert world.hook.told[1:] == [("closed", "storm", None, "published")]


def test_a_map_where_defects_have_a_place(world: World) -> None:
    world.supply("p13", [*FINE, [2, 2]])
    assert not world.build("p13")
    world.tick()
    (got,) = world.hook.received
    assert got["alerts"][0]["name"] == "twice"
    assert " at 2, 2" in got["message"]
    picture, layer = got["attachments"]
    assert base64.b64decode(picture["base64"]).startswith(b"\x89PNG")
    assert layer["filename"] == "tiles_p13__violations.gpkg"
    path = world.folder / "attached.gpkg"
    path.write_bytes(base64.b64decode(layer["base64"]))
    attached = geopandas.read_file(path, layer="violations")
    assert set(attached["name"]) >= {"twice"}
    assert set(attached["partition"]) == {"p13"}


def test_nobody_and_all_down_are_seen_in_the_ui(world: World) -> None:
    world.supply("p14", BAD)
    assert not world.build("p14")
    world.hook.down = world.mail.down = True
    tick = world.tick()
    assert tick.status is TickStatus.FAILURE
    assert "no alert channel works" in tick.error.to_string()
    world.hook.down = world.mail.down = False
    assert world.tick().status is TickStatus.SKIPPED
    assert len(world.hook.ids) == len(world.mail.ids) == 1


def call(world: World, *arguments: str) -> Result:
    home = {"DAGSTER_HOME": world.instance.root_directory}
    return CliRunner().invoke(app, ["alerts", *arguments], env=home)


def test_people_acknowledge_and_silence(world: World) -> None:
    world.supply("p16", BAD)
    assert not world.build("p16")
    world.tick()
    listed = json.loads(call(world, "list", "--json").stdout)["incidents"]
    (mine,) = [i for i in listed if i["partition"] == "p16"]
    assert mine["problem"] == "tiles[p16] is held: not_empty fails"
    assert mine["acknowledged_by"] is None
    done = call(
        world, "acknowledge", "tiles", "--partition", "p16", "--by", "anna", "--note", "at it"
    )
    assert (done.exit_code, done.stdout) == (
        0, "tiles[p16]: 2 open problems acknowledged by anna\n"
    )  # fmt: skip
    done = call(world, "silence", "tiles", "--partition", "p17", "--by", "anna", "--for", "8h")
    assert done.exit_code == 0
    world.supply("p17", BAD)
    assert not world.build("p17")
    world.tick()
    assert [r["title"] for r in world.hook.received[1:]] == [
        "tiles[p16] is acknowledged by anna: at it"
    ]
    assert "anna" in call(world, "list").stdout
    assert call(world, "unsilence", "tiles", "--partition", "p17").exit_code == 0
    world.tick()
    assert [r["title"] for r in world.hook.received[2:]] == ["tiles[p17] is held: not_empty fails"]


def test_mistakes_of_people_are_said(world: World) -> None:
    world.tick()
    none = call(world, "acknowledge", "tiles", "--partition", "p03x", "--by", "anna")
    assert (none.exit_code, none.stdout) == (1, "nothing of tiles[p03x] is open\n")
    wrong = call(world, "silence", "tiles", "--by", "anna", "--for", "soon")
    assert wrong.exit_code == 2
    assert "expected a duration such as" in wrong.stderr
    lost = call(world, "acknowledge", "tiles", "--by", "anna", "--location", "elsewhere")
    assert lost.exit_code == 2
    assert "with alerts: alerting" in lost.stderr
    assert call(world, "unsilence", "tiles").exit_code == 1


def test_the_inventory_finds_what_nobody_told_of(world: World) -> None:
    pipeline, contract = Pipeline.of([tiles()]), tiles()
    listing = dg.Definitions(assets=[inventory_asset()])

    def audited(points: list[object]) -> Version:
        world.supply("p15", points)
        version = pipeline.stage(contract, "p15")
        asyncio.run(pipeline.audit(contract, version))
        return version

    held = audited(BAD)
    assert run(listing, world.instance).success
    key = dg.AssetCheckKey(INVENTORY, CHECK)
    evaluation = world.instance.get_latest_asset_check_evaluation_record(key)
    said = evaluation.event.dagster_event.asset_check_evaluation_data
    assert not said.passed
    rows = {r.data["partition"]: r.data for r in said.metadata["list"].records}
    assert rows["p15"]["state"] == "held"
    assert "not_empty: failed" in rows["p15"]["reasons"]
    world.tick()
    assert world.hook.told == [("opened", "tiles", "p15", "published")]
    assert world.hook.received[0]["alerts"][0]["version"] == held.id

    pipeline.publish(contract, audited(FINE))
    assert run(listing, world.instance).success
    world.tick()
    assert world.hook.told[1:] == [("closed", "tiles", "p15", "published")]
