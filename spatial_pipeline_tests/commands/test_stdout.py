"""stdout parses, or is empty with a non-zero exit code, whatever goes wrong."""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pytest
import yaml

from spatial_pipeline.distributed import client
from spatial_pipeline.sources.limits import DEFAULTS
from spatial_pipeline_tests.alert.receivers import Web as Receiver
from spatial_pipeline_tests.alert.receivers import web as receiver
from spatial_pipeline_tests.commands.projects import Project, points
from spatial_pipeline_tests.sources.web import Web, serving

BODY = points(range(5)).encode()
LINE = re.compile(r"(\S+): (?:sent|failed: .+)")
NOWHERE = "127.0.0.1:9"


@dataclass
class World:
    """A project, a web server and what the next call is like.

    Attributes:
        environment: variables of the call.
        contracts: what is checked and run.
        source: what is profiled.
        hook: receives alerts where the environment says so.
        options: further options of ``check`` and ``run``.
        runs: try ``run``, too, which takes seconds.
        channel: options of ``alerts test``.

    """

    project: Project
    web: Web
    hook: Receiver
    environment: dict[str, str | None] = field(default_factory=dict)
    contracts: Path = Path()
    source: str = ""
    options: tuple[str, ...] = ()
    runs: bool = False
    channel: tuple[str, ...] = ()

    def __post_init__(self) -> None:
        self.contracts = self.project.dataset("a")
        self.source = str(self.project.folder / "a.geojson")

    def at(self, uri: str) -> None:
        self.source = uri
        self.project.contract("a", source={"uri": uri})

    def with_rules(self, *rules: Any) -> None:
        self.project.contract("a", rules=list(rules))

    def receives(self, how: str) -> None:
        self.hook.down = bool(how)
        self.environment["SPATIAL_ALERT_URLS"] = f"ops={self.hook.url}"

    def published(self, file: str, text: str) -> None:
        assert self.project.run()[0] == 0
        (found,) = self.project.store.rglob(file)
        found.write_text(text)


def kind(change: Callable[[World], object], *, runs: bool = False) -> Any:
    def changed(world: World) -> None:
        change(world)
        world.runs = runs

    return changed


def environment(runs: bool = False, **variables: str) -> Any:
    return kind(lambda w: w.environment.update(variables), runs=runs)


def written(text: bytes, name: str = "a.geojson") -> Any:
    return kind(lambda w: (w.project.folder / name).write_bytes(text))


def remote(runs: bool = False, **how: Any) -> Any:
    return kind(lambda w: w.at(w.web.put("/a.geojson", BODY, **how)), runs=runs)


KINDS = {
    "nothing": kind(lambda _: None, runs=True),
    "missing source": kind(lambda w: (w.project.folder / "a.geojson").unlink(), runs=True),
    "cut source": written(BODY[:100]),
    "empty source": written(b""),
    "no data": written(b"\x00\xff" * 100),
    "missing on the web": kind(lambda w: w.at(f"{w.web.url}/no.geojson"), runs=True),
    "busy for a moment": remote(statuses=[503], runs=True),
    "busy for long": remote(statuses=[503] * 99, runs=True),
    "broken off once": remote(cut=[100]),
    "broken off always": remote(cut=[100] * 99, ranges=False),
    "forbidden": remote(statuses=[403] * 99),
    "no server": kind(lambda w: w.at(f"http://{NOWHERE}/a.geojson")),
    "no object store": kind(lambda w: (
        w.at("s3://bucket/a.geojson"),
        w.environment.update(AWS_ENDPOINT_URL=f"http://{NOWHERE}", AWS_ACCESS_KEY_ID="a",
                             AWS_SECRET_ACCESS_KEY="b"),
    )),
    "no database": kind(lambda w: w.at(f"postgresql://u@{NOWHERE}/d")),
    "refused source": environment(SPATIAL_ALLOWED_SOURCES='["/elsewhere"]'),
    "contract with mistakes": kind(lambda w: w.with_rules({"rule": "uniqe"}), runs=True),
    "no YAML": written(b"type: [", "a.yaml"),
    "no UTF-8": written(b"type: \xff", "a.yaml"),
    "no contract": kind(lambda w: setattr(w, "contracts", w.project.folder / "none.yaml")),
    "no such key": kind(lambda w: w.project.contract("a", key=["no"])),
    "failed rule": kind(lambda w: w.with_rules({"rule": "feature_count", "min": 9})),
    "missing column": kind(lambda w: w.with_rules({"rule": "unique", "columns": ["no"]})),
    "wrong condition": kind(lambda w: w.with_rules({"rule": "not_empty", "where": "1 +"})),
    "missing layer": kind(lambda w: w.project.contract(
        "a", source={"uri": "a.geojson", "layer": "no"}
    )),
    "unknown rule": kind(lambda w: setattr(w, "options", ("--rule", "no"))),
    "no partitions": kind(lambda w: setattr(w, "options", ("--partition", "no"))),
    "store is a file": environment(SPATIAL_STORE=__file__, runs=True),
    "store is a URL": environment(SPATIAL_STORE="s3://bucket/store"),
    "wrong number": environment(SPATIAL_MEMORY="much"),
    "wrong list": environment(SPATIAL_ALLOWED_SOURCES="["),
    "wrong database": environment(SPATIAL_DATABASE_URL="mysql://a"),
    "table without a database": kind(
        lambda w: w.project.contract("a", publish={"table": "gis.a"}), runs=True
    ),
    "no scheduler": environment(SPATIAL_DASK_SCHEDULER=f"tcp://{NOWHERE}", runs=True),
    "scheduler without a port": environment(SPATIAL_DASK_SCHEDULER="tcp://localhost"),
    "damaged pointer": kind(lambda w: w.published("published.json", "{"), runs=True),
    "damaged verdict": kind(lambda w: w.published("verdict.json", "{")),
    "damaged profile": kind(lambda w: w.published("profile.json", "{")),
    "a receiver of alerts": kind(lambda w: w.receives("")),
    "a receiver of alerts that is down": kind(lambda w: w.receives("down")),
    "no receiver of alerts": environment(SPATIAL_ALERT_URLS=f"ops=json://{NOWHERE}/"),
    "no mail server": environment(SPATIAL_ALERT_URLS=f"mailto://a:b@{NOWHERE}/?to=c@example.org"),
    "an unknown channel": environment(SPATIAL_ALERT_URLS="nobody://knows"),
    "an unknown channel that is named": kind(lambda w: (
        w.receives(""), setattr(w, "channel", ("--channel", "pigeon")),
    )),
    "wrong home of Dagster": environment(DAGSTER_HOME="/nowhere/at/all", runs=True),
}  # fmt: skip


@pytest.fixture
def world(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[World]:
    monkeypatch.setattr(client, "CONNECT_S", 0.2)
    with serving() as web, receiver() as hook:
        world = World(Project(tmp_path), web, hook)
        world.environment["SPATIAL_FETCH_ATTEMPTS"] = "2"
        yield world


def channels_told(text: str) -> list[str]:
    """The channels of ``alerts test``, each on a line of its own."""
    found = [LINE.fullmatch(line) for line in text.splitlines()]
    assert all(found), text
    return [f[1] for f in found if f is not None]


def test_thirty_kinds_are_tried() -> None:
    assert len(KINDS) > 30
    assert DEFAULTS.attempts > 2


@pytest.mark.parametrize("name", KINDS)
def test_stdout_parses_or_is_empty(world: World, name: str) -> None:
    KINDS[name](world)
    call, where = world.project.call, ("--contracts", world.contracts)
    calls: list[tuple[Callable[[str], Any], tuple[object, ...]]] = [
        (json.loads, ("check", world.contracts, "--json", *world.options)),
        (json.loads, ("held", "--json", *where)),
        (yaml.safe_load, ("profile", world.source)),
        (str, ("rollback", "a", *where)),
        (str, ("accept", "a", *where)),
        (channels_told, ("alerts", "test", *world.channel)),
        (json.loads, ("alerts", "list", "--json")),
        (str, ("alerts", "acknowledge", "a", "--by", "anna")),
        (str, ("alerts", "silence", "a", "--by", "anna", "--for", "1h")),
        (str, ("alerts", "unsilence", "a")),
        (str, ("alerts", "reset", "a")),
    ]
    if world.runs:
        options = [o for o in world.options if o != "--rule"]
        calls.append((json.loads, ("run", "--json", *where, *options)))
    for parse, arguments in calls:
        done = call(*arguments, **world.environment)
        crashed = done.exception is not None and not isinstance(done.exception, SystemExit)
        assert not crashed, (arguments, done.exception)
        assert "Traceback" not in done.stderr
        if done.stdout:
            assert parse(done.stdout), (arguments, done.stdout)
        else:
            assert done.exit_code, (arguments, done.stderr)
            assert done.stderr, arguments


@pytest.mark.parametrize("command", ["check", "profile", "run"])
def test_a_retried_request_is_told_on_stderr(world: World, command: str, tmp_path: Path) -> None:
    uri = world.web.put("/a.geojson", BODY, statuses=[503])
    world.at(uri)
    arguments = {
        "check": ("check", world.contracts, "--json"),
        "profile": ("profile", uri),
        "run": ("run", "--json", "--contracts", world.contracts),
    }[command]
    done = world.project.process(*arguments)
    assert done.returncode == 0, done.stderr
    yaml.safe_load(done.stdout) if command == "profile" else json.loads(done.stdout)
    if command != "run":
        assert "attempt 1 failed: 503 Service Unavailable" in done.stderr
    assert not world.web.files["/a.geojson"].statuses


def test_libraries_say_nothing_on_stderr(tmp_path: Path) -> None:
    """Neither GDAL and PROJ about folders that are not there, nor Dagster about its telemetry."""
    project = Project(tmp_path)
    path = project.dataset("roads")
    home = tmp_path / "home"
    home.mkdir()
    wrong = dict.fromkeys(("GDAL_DATA", "PROJ_LIB", "PROJ_DATA"), str(tmp_path / "none"))
    checked = project.process("check", path, HOME=str(home), **wrong)
    assert (checked.returncode, checked.stderr) == (0, "")
    environment = {"HOME": str(home), "DAGSTER_HOME": str(home), "CI": ""}
    ran = project.process("run", "--contracts", path, **wrong, **environment)
    assert (ran.returncode, ran.stderr) == (0, "roads: published\n")
    assert not (home / ".telemetry").exists()
