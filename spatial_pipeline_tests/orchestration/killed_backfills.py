"""``kill -9`` at random moments of schema backfills: nothing lost, no partition built twice.

Each round changes the schema, kills the daemon in the middle of the backfill, and lets the next
daemon go on. As a command, with as many kills as there is time for::

    python -m spatial_pipeline_tests.orchestration.killed_backfills --kills 20 --seed 1
"""

from __future__ import annotations

import argparse
import json
import os
import random
import signal
import sys
import tempfile
from collections import Counter
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import dagster as dg
import pytest
from dagster import DagsterRunStatus
from dagster._core.instance.ref import InstanceRef
from dagster._core.test_utils import instance_for_test

from spatial_pipeline_tests.killed import MEASURE, Fatal, deadly, in_process, processes
from spatial_pipeline_tests.orchestration.launcher import SYNCHRONOUS
from spatial_pipeline_tests.orchestration.schema_daemon import Daemon, build, daemon, published
from spatial_pipeline_tests.orchestration.schema_location import (
    BUILT,
    write_contract,
    write_source,
)

STAGE = "backfill"
KEYS = BUILT[:3]
HALF_BUILT = (DagsterRunStatus.STARTING, DagsterRunStatus.STARTED)


def work(
    reference: InstanceRef, environment: dict[str, str], now: datetime, fatal: Fatal, to: Any
) -> None:
    """Ticks and backfills until nothing is outdated, or until it dies."""
    os.environ.update(environment)
    Daemon.now = now
    calls: dict[str, float] = {}
    with (
        dg.DagsterInstance.from_ref(reference) as instance,
        daemon(instance) as running,
        deadly(calls, STAGE, fatal),
    ):
        running.settle()
    to.send(calls)
    to.close()


@dataclass
class Campaign:
    """Rounds of killing.

    Attributes:
        folder: sources, store and instance.
        instance: the instance that the processes use.
        rng: decides when to kill.
        killed: number of kills.
        dead: runs whose process died with them.
        problems: what was not as it should be.

    """

    folder: Path
    instance: dg.DagsterInstance
    rng: random.Random
    killed: int = 0
    dead: int = 0
    problems: list[str] = field(default_factory=list)
    _text: bool = False

    def change(self) -> None:
        """Codes become text, or numbers again, in the contract and in the sources."""
        self._text = not self._text
        kind = "string" if self._text else "integer"
        write_contract(self.folder, kind, backfill={"order": "newest", "at_most": 2})
        for i, key in enumerate(KEYS):
            codes = [f"c{i}", f"c{i + 1}"] if self._text else [i, i + 1]
            write_source(self.folder, key, codes)

    def child(self, fatal: Fatal) -> tuple[int, dict[str, float]]:
        """Exit code and calls of a daemon in a process of its own."""
        names = ("SPATIAL_STORE", "SPATIAL_TEST_FOLDER", "DAGSTER_HOME")
        environment = {n: os.environ[n] for n in names if n in os.environ}
        # Later than what the process before took for now.
        Daemon.now += timedelta(hours=1)
        given = (self.instance.get_ref(), environment, Daemon.now, fatal)
        code, calls = in_process(work, given, patience=240)
        return code, calls or {}

    def kill(self, calls: dict[str, float]) -> None:
        """One kill, and the next daemon."""
        before = published(self.folder, KEYS)
        earlier = self.runs()
        self.change()
        how = self.rng.choice(["calls", "seconds"])
        most = calls[STAGE if how == "calls" else f"{STAGE} s"]
        limit = self.rng.randint(1, int(most)) if how == "calls" else self.rng.uniform(0, most)
        code, _ = self.child((STAGE, how, limit))
        assert code in {0, -signal.SIGKILL}, f"the daemon ended with {code}"
        self.killed += code != 0
        # What Dagster's run monitoring, or the sensor of dead runs, does.
        dead = self.instance.get_runs(dg.RunsFilter(statuses=list(HALF_BUILT)))
        for run in dead:
            self.instance.report_run_failed(run, "its process died")
        self.dead += len(dead)
        halfway = published(self.folder, KEYS)
        Daemon.now += timedelta(hours=1)
        with daemon(self.instance) as running:
            running.work()
            running.settle()
            assert running.tick() == "nothing is outdated"
        now = published(self.folder, KEYS)
        assert not [k for k in KEYS if now[k] == before[k]], "a partition was not built again"
        built = self.runs() - earlier
        # A run that died after it had published is not made again.
        lost = [r.tags["dagster/partition"] for r in dead]
        expected = Counter(KEYS) + Counter(k for k in lost if halfway[k] == before[k])
        assert built == expected, f"runs {dict(built)}, expected {dict(expected)}"

    def runs(self) -> Counter[str]:
        """Runs by partition."""
        return Counter(r.tags["dagster/partition"] for r in self.instance.get_runs())

    def fight(self, kills: int) -> dict[str, Any]:
        """Kills as often as that; the figures."""
        self.change()
        code, calls = self.child(MEASURE)
        assert code == 0, f"the daemon ended with {code}"
        while self.killed < kills:
            try:
                self.kill(calls)
            except AssertionError as exc:
                self.problems.append(str(exc))
                print(exc, file=sys.stderr, flush=True)
        return {"kills": self.killed, "runs that died": self.dead, "problems": self.problems}


def main() -> None:
    """The command; see the module."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--kills", type=int, default=20)
    parser.add_argument("--seed", type=int, default=1)
    given = parser.parse_args()
    processes.set_forkserver_preload(["spatial_pipeline_tests.orchestration.killed_backfills"])
    with (
        tempfile.TemporaryDirectory(prefix="killed-") as folder,
        pytest.MonkeyPatch.context() as patch,
        instance_for_test(overrides=SYNCHRONOUS) as instance,
    ):
        Daemon.now = datetime.now(UTC)
        build(Path(folder), patch, KEYS)
        made = Campaign(Path(folder), instance, random.Random(given.seed))
        figures = made.fight(given.kills)
    print(json.dumps(figures, indent=1))
    raise SystemExit(bool(made.problems))


if __name__ == "__main__":
    # Processes import the module by its name, not the command once more.
    vars(sys.modules["__main__"]).update(__spec__=None, __file__=None)
    from spatial_pipeline_tests.orchestration import killed_backfills

    killed_backfills.main()
