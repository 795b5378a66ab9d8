"""Alerts through the real sensor daemon: what fails reaches real receivers, once, in order."""

from __future__ import annotations

import base64
import json
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path

import dagster as dg
import pytest
from dagster._core.scheduler.instigation import TickStatus
from dagster._core.test_utils import freeze_time
from dagster._daemon.freshness import FreshnessDaemon

from spatial_pipeline.orchestration.assets import published_key, staged_key
from spatial_pipeline_tests.alert.receivers import Post, Web, post, web
from spatial_pipeline_tests.orchestration.alert_daemon import Daemon, prepared, running_daemon
from spatial_pipeline_tests.orchestration.alerts_location import KEYS, defs
from spatial_pipeline_tests.orchestration.projects import BAD, GOOD, run, write_points

FIVE = [[i, i] for i in range(6)]
TILES = dg.AssetSelection.assets(staged_key("tiles"), published_key("tiles"))


@pytest.fixture(params=["sqlite", "postgres"])
def storage(request: pytest.FixtureRequest) -> str:
    return str(request.param)


@pytest.fixture
def hook() -> Iterator[Web]:
    with web() as made:
        yield made


@pytest.fixture
def mail() -> Iterator[Post]:
    with post() as made:
        yield made


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, hook: Web, mail: Post) -> Path:
    monkeypatch.setenv("SPATIAL_ALERT_URLS", f"hook={hook.url}, mail={mail.url}")
    monkeypatch.setenv("TEST_OPERATIONS", json.dumps({"alerts": {"retry_after_s": 0}}))
    for key in KEYS:
        write_points(tmp_path / f"{key}.geojson", FIVE)
    return prepared(tmp_path, monkeypatch)


@pytest.fixture
def daemon(storage: str, folder: Path, request: pytest.FixtureRequest) -> Iterator[Daemon]:
    with running_daemon(storage, request) as made:
        yield made


def supply(folder: Path, key: str, points: list[object]) -> None:
    write_points(folder / f"{key}.geojson", points)


def build(daemon: Daemon, key: str, selection: dg.AssetSelection = TILES) -> bool:
    return run(defs(), daemon.instance, selection, partition=key).success


def test_a_failure_from_the_first_message_to_the_last(
    daemon: Daemon, folder: Path, hook: Web, mail: Post
) -> None:
    assert build(daemon, "p00")
    tick = daemon.tick()
    assert tick.status is TickStatus.SKIPPED
    assert hook.received == []

    supply(folder, "p01", BAD)
    assert not build(daemon, "p01")
    daemon.tick()
    assert hook.told == [
        ("opened", "tiles", "p01", "feature_count"),
        ("opened", "tiles", "p01", "not_empty"),
    ]
    warned, failed = hook.received
    assert warned["alerts"][0]["severity"] == "warn"
    told = failed["alerts"][0]
    (only,) = [r for r in daemon.instance.get_runs() if not r.is_success]
    assert (told["violations"], told["checked"], told["run_id"]) == (1, 3, only.run_id)
    assert told["links"]["run"] == f"http://ui/runs/{only.run_id}"
    assert Path(told["violation_layer"]).is_file()
    assert "p01" in failed["title"]
    assert [str(m["Subject"]) for m in mail.received] == [r["title"] for r in hook.received]
    assert mail.ids == [f"<{i}@spatial-pipeline.alerts>" for i in hook.ids]

    # Nothing new, nothing told; the same again is nothing new.
    daemon.tick()
    assert not build(daemon, "p01")
    daemon.tick()
    assert len(hook.received) == 2

    # The published asset alone walks past Dagster's blocking check: the gate holds it.
    alone = dg.AssetSelection.assets(published_key("tiles"))
    assert not build(daemon, "p01", alone)
    daemon.tick()
    assert hook.told[2:] == [("opened", "tiles", "p01", "published")]
    assert "not_empty" in hook.received[2]["alerts"][0]["summary"]

    supply(folder, "p01", FIVE)
    assert build(daemon, "p01")
    daemon.tick()
    assert sorted(hook.told[3:]) == [
        ("closed", "tiles", "p01", "feature_count"),
        ("closed", "tiles", "p01", "not_empty"),
        ("closed", "tiles", "p01", "published"),
    ]
    assert len(set(hook.ids)) == len(hook.ids) == len(mail.ids) == 6


def test_a_channel_down_for_ten_ticks(daemon: Daemon, folder: Path, hook: Web, mail: Post) -> None:
    mail.down = True
    for key in KEYS[:10]:
        supply(folder, key, GOOD)
        assert build(daemon, key)
        daemon.tick()
    assert mail.received == []
    expected = [f"tiles[{k}]: feature_count failed (warning)" for k in KEYS[:10]]
    about_tiles = [r["title"] for r in hook.received if r["alerts"][0]["kind"] == "rule"]
    assert about_tiles == expected
    about_mail = [a for r in hook.received for a in r["alerts"] if a["kind"] == "channel"]
    assert [(a["what"], a["name"]) for a in about_mail] == [("opened", "mail")]
    mail.down = False
    daemon.tick()
    assert [str(m["Subject"]) for m in mail.received] == expected
    assert hook.received[-1]["title"] == "alerts: alert channel down (mail) over"
    assert len(set(hook.ids)) == len(hook.ids) == 12


def test_a_storm_is_one_digest(daemon: Daemon, folder: Path, hook: Web, mail: Post) -> None:
    storm = dg.AssetSelection.assets(staged_key("storm"), published_key("storm"))
    assert not run(defs(), daemon.instance, storm).success
    tick = daemon.tick()
    assert tick.status is TickStatus.SKIPPED
    (digest,) = hook.received
    assert digest["title"] == "500 failed (1 dataset)"
    assert len(digest["alerts"]) == 500
    assert [str(m["Subject"]) for m in mail.received] == ["500 failed (1 dataset)"]


def test_failed_runs_and_checks_that_never_came_to_their_turn(
    daemon: Daemon, folder: Path, hook: Web
) -> None:
    (folder / "fail").touch()
    mosaic = dg.AssetSelection.assets("mosaic")
    assert not run(defs(), daemon.instance, mosaic).success
    daemon.tick()
    assert hook.told == [("opened", "mosaic", None, "mosaic")]
    assert "OSError: disk full" in hook.received[0]["message"]
    (folder / "fail").unlink()
    assert run(defs(), daemon.instance, mosaic).success
    daemon.tick()
    assert hook.told[1:] == [("closed", "mosaic", None, "mosaic")]

    # A store that cannot be written fails the staging; no check comes to its turn.
    store = folder / "store"
    store.rename(folder / "aside")
    store.write_text("in the way")
    assert not build(daemon, "p03")
    store.unlink()
    (folder / "aside").rename(store)
    daemon.tick()
    assert hook.told[2:] == [("opened", "tiles", "p03", "tiles__staged")]
    assert "4 of 4 rules never came to their turn: " in hook.received[2]["message"]
    assert build(daemon, "p03")
    daemon.tick()
    assert hook.told[3:] == [("closed", "tiles", "p03", "tiles__staged")]


def test_late_data(daemon: Daemon, hook: Web) -> None:
    def look(minutes: int) -> None:
        with freeze_time(datetime.now(UTC) + timedelta(minutes=minutes)):
            list(FreshnessDaemon().run_iteration(daemon.workspace))
        daemon.tick()

    daemon.instance.report_runless_asset_event(dg.AssetMaterialization(published_key("storm")))
    look(0)
    assert hook.received == []
    look(10)
    look(20)
    assert hook.told == [("opened", "storm", None, "published")]
    assert "storm/published is late since " in hook.received[0]["message"]
    daemon.instance.report_runless_asset_event(dg.AssetMaterialization(published_key("storm")))
    look(1)
    assert hook.told[1:] == [("closed", "storm", None, "published")]


def test_a_map_where_defects_have_a_place(daemon: Daemon, folder: Path, hook: Web) -> None:
    supply(folder, "p02", [*FIVE, [2, 2]])
    assert not build(daemon, "p02")
    daemon.tick()
    (got,) = hook.received
    assert got["alerts"][0]["name"] == "twice"
    assert " at 2, 2" in got["message"]
    (attachment,) = got["attachments"]
    assert base64.b64decode(attachment["base64"]).startswith(b"\x89PNG")


def test_nobody_and_all_down_are_seen_in_the_ui(
    daemon: Daemon, folder: Path, hook: Web, mail: Post
) -> None:
    supply(folder, "p02", BAD)
    assert not build(daemon, "p02")
    hook.down = mail.down = True
    tick = daemon.tick()
    assert tick.status is TickStatus.FAILURE
    assert "no alert channel works" in tick.error.message
    hook.down = mail.down = False
    assert daemon.tick().status is TickStatus.SKIPPED
    assert len(hook.ids) == len(mail.ids) == 2
