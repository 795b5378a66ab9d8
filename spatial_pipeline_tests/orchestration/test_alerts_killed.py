"""A real daemon killed in the middle of an alert tick: nothing lost, nothing told twice."""

from __future__ import annotations

import contextlib
import os
import signal
import subprocess
import sys
import time
from collections import Counter
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import dagster as dg
import pytest
import yaml

from spatial_pipeline_tests.alert.receivers import Web, post, web
from spatial_pipeline_tests.orchestration.alert_daemon import TILES, environment, overrides
from spatial_pipeline_tests.orchestration.alerts_location import KEYS, few
from spatial_pipeline_tests.orchestration.projects import BAD, run, write_points

PARTITIONS = KEYS[:6]
KILLED = (("before", 3), ("after", 5))
"""The daemon dies before or after the answer to a message, counted in the order of sending."""
EXPECTED = [[(k, n) for n in ("feature_count", "not_empty")] for k in PARTITIONS]
"""Incidents of each message: one message a partition, whatever number of its rules fail."""


@contextlib.contextmanager
def daemon(folder: Path) -> Iterator[subprocess.Popen[bytes]]:
    """A daemon and its code server, in a process group of their own."""
    with (folder / "daemon.log").open("ab") as log:
        process = subprocess.Popen(
            [sys.executable, "-m", "spatial_pipeline_tests.orchestration.alert_process"],
            stdout=log,
            stderr=log,
            start_new_session=True,
        )
        try:
            yield process
        finally:
            kill(process)
            process.wait()


def kill(process: subprocess.Popen[bytes]) -> None:
    with contextlib.suppress(ProcessLookupError):
        os.killpg(process.pid, signal.SIGKILL)


def wait_for(hook: Web, n: int, process: subprocess.Popen[bytes], log: Path) -> None:
    end = time.monotonic() + 120
    while len(set(hook.ids)) < n:
        if process.poll() is not None or time.monotonic() > end:
            pytest.fail(f"{hook.ids}\n{log.read_text()[-3000:]}")
        time.sleep(0.1)


@pytest.mark.parametrize("storage", ["sqlite", "postgres"])
def test_killed_while_it_sends(
    storage: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, request: pytest.FixtureRequest
) -> None:
    cluster = request.getfixturevalue("postgres") if storage == "postgres" else None
    for name, value in environment(tmp_path, alerts={"interval_s": 1}).items():
        monkeypatch.setenv(name, value)
    home = tmp_path / "home"
    home.mkdir()
    (home / "dagster.yaml").write_text(yaml.safe_dump(overrides(storage, cluster)))
    monkeypatch.setenv("DAGSTER_HOME", str(home))
    with web() as hook, post() as mail:
        monkeypatch.setenv("SPATIAL_ALERT_URLS", f"hook={hook.url}, mail={mail.url}")
        with dg.DagsterInstance.get() as instance:
            for key in PARTITIONS:
                write_points(tmp_path / f"{key}.geojson", BAD)
                assert not run(few(), instance, TILES, partition=key).success
        for when, different in KILLED:
            with daemon(tmp_path) as doomed:

                def deadly(_n: int, doomed: Any = doomed, different: int = different) -> None:
                    if len(set(hook.ids)) == different:
                        kill(doomed)

                setattr(hook, when, deadly)
                doomed.wait(timeout=120)
            setattr(hook, when, lambda _n: None)
            assert len(set(hook.ids)) == different
        with daemon(tmp_path) as last:
            wait_for(hook, len(EXPECTED), last, tmp_path / "daemon.log")
            ticks = (tmp_path / "daemon.log").read_text().count("tick\n")
            while (tmp_path / "daemon.log").read_text().count("tick\n") < ticks + 4:
                time.sleep(0.1)

        # Everything came, in order; what was in flight may come once more, under its own name.
        firsts = list(dict.fromkeys(hook.ids))
        told = {
            r["alert_id"]: [(a["partition"], a["name"]) for a in r["alerts"]] for r in hook.received
        }
        assert [told[i] for i in firsts] == EXPECTED
        twice = [i for i, n in Counter(hook.ids).items() if n > 1]
        assert twice in ([firsts[2]], [firsts[2], firsts[4]])
        assert len(hook.ids) == len(EXPECTED) + len(twice)
        mails = list(dict.fromkeys(mail.ids))
        assert mails == [f"<{i}@spatial-pipeline.alerts>" for i in firsts]
        assert len(mail.ids) - len(mails) <= len(KILLED)
