"""A day of a code location with failures at random: nothing may go quiet.

    python -m spatial_pipeline_tests.orchestration.simulation --contracts 100 --hours 24 --seed 1

Instance, store, runs, schedules, the functions of the sensors, alerts and the web hook that takes
them are real; the clock is simulated. A process that died is a run without a sign of life.
"""

from __future__ import annotations

import argparse
import contextlib
import logging
import os
import random
import sys
import tempfile
import warnings
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any
from unittest import mock

import dagster as dg
import pytest
from dagster._core.test_utils import create_run_for_test, freeze_time, instance_for_test
from dagster._utils.warnings import PreviewWarning

from spatial_pipeline.contract.load import load
from spatial_pipeline.contract.models import Contract
from spatial_pipeline.contract.operations import Alerts, OperationsContract
from spatial_pipeline.errors import ContractError, NotPublishedError
from spatial_pipeline.orchestration.alerts.sensor import tick
from spatial_pipeline.orchestration.broken import broken_definitions
from spatial_pipeline.orchestration.cron_ticks import last_tick
from spatial_pipeline.orchestration.dataset import dataset_definitions
from spatial_pipeline.orchestration.keys import DATASET_TAG
from spatial_pipeline.orchestration.operations import operations_definitions
from spatial_pipeline.orchestration.orphans import dead_runs, end
from spatial_pipeline.orchestration.schedules import requests
from spatial_pipeline.pipeline.pipeline import Pipeline
from spatial_pipeline.runtime import heartbeat
from spatial_pipeline_tests.alert.receivers import Web, web
from spatial_pipeline_tests.orchestration.projects import write_points
from spatial_pipeline_tests.postgres import running_cluster

START = datetime(2035, 6, 10, 12, 0, tzinfo=UTC)
STEP = timedelta(minutes=30)
NOWHERE = "postgresql://nobody@127.0.0.1:1/none"
CONTRACT = """type: spatial_pipeline.VectorDataset
attributes:
  name: {name}
  source: {{uri: {uri}}}
  schedule: "{cron}"
  rules: [{{{rule}: not_empty}}]
"""
DAILY = '  partitions: {daily: "2035-06-08"}\n'
TABLE = "  publish: {{table: simulated.{name}}}\n"
Places = set[tuple[str, str | None]]


@dataclass
class Dataset:
    """One dataset, with what was delivered and when.

    Attributes:
        name: its name.
        cron: its schedule.
        daily: True with daily partitions.
        table: True when it is published to a table.
        broken: True while its contract has a typo.
        files: partition → what its file held over time, as (time, features; None is bad data, -1
            no file).
        due: time of the last tick of its schedule that was handled.
        handled: time when it was.

    """

    name: str
    cron: str
    daily: bool
    table: bool
    broken: bool = False
    files: dict[str | None, list[tuple[datetime, int | None]]] = field(default_factory=dict)
    due: datetime | None = None
    handled: datetime | None = None


class Simulation:
    """The code location, its world, and the clock."""

    def __init__(
        self, folder: Path, instance: dg.DagsterInstance, hook: Web, seed: int, contracts: int,
        dsn: str | None = None,
    ) -> None:  # fmt: skip
        self.folder = folder
        self.instance = instance
        self.hook = hook
        self.random = random.Random(seed)
        self.dsn = dsn
        self.now = START
        self.asleep = 0
        self.events: dict[str, int] = {}
        self._loaded: dict[str, tuple[dg.Definitions, Contract | None]] = {}
        self.datasets = [
            Dataset(
                name=f"d{i:03}",
                cron=f"{self.random.choice((0, 30))} {self.random.randrange(6)}-23/6 * * *",
                daily=i % 3 == 1,
                table=dsn is not None and i % 5 == 2,
            )
            for i in range(contracts)
        ]
        for dataset in self.datasets:
            for key in self.days() if dataset.daily else [None]:
                self.deliver(dataset, key, 3)
        self.reload()

    def days(self) -> list[str]:
        """Complete days, as keys."""
        first = datetime(2035, 6, 8, tzinfo=UTC)
        return [f"{first + timedelta(days=i):%Y-%m-%d}" for i in range((self.now - first).days)]

    def deliver(self, dataset: Dataset, key: str | None, features: int | None) -> None:
        """A file arrives; None is one with a missing geometry, -1 none at all."""
        file = self.folder / f"{dataset.name}{'' if key is None else '_' + key}.geojson"
        dataset.files.setdefault(key, []).append((self.now, features))
        if features == -1:
            file.unlink(missing_ok=True)
        elif features is None:
            write_points(file, [[0, 0], None])
        else:
            write_points(file, [[i, i] for i in range(features)])

    def reload(self) -> None:
        """Loads the code location from the files as they are now."""
        self.contracts: dict[str, Contract] = {}
        parts = [operations_definitions(OperationsContract())]
        for dataset in self.datasets:
            file = self.folder / f"{dataset.name}.yaml"
            part = "_{partition}" if dataset.daily else ""
            text = CONTRACT.format(
                name=dataset.name,
                uri=f'"{dataset.name}{part}.geojson"',
                cron=dataset.cron,
                rule="rul" if dataset.broken else "rule",
            )
            text += DAILY if dataset.daily else ""
            text += TABLE.format(name=dataset.name) if dataset.table else ""
            if text not in self._loaded:
                file.write_text(text)
                self._loaded[text] = self._load(dataset, file)
            part, contract = self._loaded[text]
            parts.append(part)
            if contract is not None:
                self.contracts[dataset.name] = contract
        self.repository = dg.Definitions.merge(*parts).get_repository_def()

    @staticmethod
    def _load(dataset: Dataset, file: Path) -> tuple[dg.Definitions, Contract | None]:
        try:
            (contract,) = load(file)
        except ContractError as exc:
            return broken_definitions(dataset.name, "vector", str(exc)), None
        return dataset_definitions(contract), contract

    def run(self, hours: float, progress: Callable[[int, int], None] | None = None) -> None:
        """Lets time pass; at the end everything that is no data is in order again."""
        steps = round(timedelta(hours=hours) / STEP)
        for step in range(steps):
            self.now += STEP
            last = step >= steps - 2
            self.trouble(last)
            with clock_at(self.now):
                if self.asleep and not last:
                    self.asleep -= 1
                else:
                    self.schedule(calm=last)
                for dead in list(dead_runs(self.instance, self.store, None, 120.0)):
                    self.count("dead runs ended")
                    end(self.instance, dead)
                    self.execute(dead.run.tags[DATASET_TAG], dead.run.tags.get("dagster/partition"))
                self.alert()
            if progress is not None:
                progress(step + 1, steps)

    @property
    def store(self) -> Path:
        return Path(os.environ["SPATIAL_STORE"])

    def trouble(self, last: bool) -> None:
        """What goes wrong, or right again, in this half hour."""
        for dataset in self.datasets:
            if dataset.daily and self.days()[-1] not in dataset.files:
                # A file that comes late comes later than the tick that asks for it.
                late = self.random.random() < 0.5
                self.count("late files" if late else "files in time")
                self.deliver(dataset, self.days()[-1], -1 if late else 4)
            for key, states in list(dataset.files.items()):
                mends = states[-1][1] in (None, -1)
                # A day that was published is not read again by its schedule.
                if self.random.random() < 0.04 and (mends or key is None):
                    self.count("mended files" if mends else "bad files")
                    self.deliver(dataset, key, self.random.randrange(1, 9) if mends else None)
        changed = [d for d in self.datasets if self.random.random() < 0.01]
        for dataset in changed:
            dataset.broken = not dataset.broken
            self.count("typos" if dataset.broken else "typos mended")
        if changed:
            self.reload()
        if not self.asleep and self.random.random() < 0.06:
            self.asleep = self.random.randrange(2, 8)
            self.count("scheduler down")
        self.hook.down = not last and self.random.random() < 0.2
        self.count("channel down", self.hook.down)

    def schedule(self, *, calm: bool) -> None:
        """What Dagster's scheduler does: the last tick of every schedule, once."""
        for dataset in self.datasets:
            due = last_tick(dataset.cron, self.now, "UTC").astimezone(UTC)
            contract = self.contracts.get(dataset.name)
            if contract is None or due <= (dataset.due or START):
                continue
            dataset.due, dataset.handled = due, self.now
            for request in list(requests(contract, self.instance, due)):
                if isinstance(request, dg.RunRequest):
                    self.launch(dataset, request.partition_key, calm=calm)

    def launch(self, dataset: Dataset, key: str | None, *, calm: bool) -> None:
        """A run, whose process may die, whose disk may be full, whose database may be away."""
        fate = 1.0 if calm else self.random.random()
        if fate < 0.08:
            self.count("dead workers")
            run = create_run_for_test(
                self.instance,
                job_name=f"{dataset.name}_job",
                status=dg.DagsterRunStatus.STARTED,
                tags={DATASET_TAG: dataset.name} | ({"dagster/partition": key} if key else {}),
            )
            file = self.store / heartbeat.FOLDER / run.run_id
            file.parent.mkdir(parents=True, exist_ok=True)
            file.touch()
            os.utime(file, (1, 1))
            return
        with pytest.MonkeyPatch.context() as patch:
            if fate < 0.14:
                self.count("full disks")
                full = self.folder / "full"
                full.write_text("no folder")
                patch.setenv("SPATIAL_STORE", str(full / "store"))
            elif fate < 0.24 and dataset.table:
                self.count("database away")
                patch.setenv("SPATIAL_DATABASE_URL", NOWHERE)
            self.execute(dataset.name, key)

    def execute(self, name: str, key: str | None) -> None:
        if name not in self.contracts:
            return  # its contract has a typo since: Dagster has no such job any more
        self.count("runs")
        job = self.repository.get_job(f"{name}_job")
        job.execute_in_process(
            instance=self.instance, partition_key=key, raise_on_error=False,
            tags={DATASET_TAG: name},
        )  # fmt: skip

    def alert(self) -> None:
        context = dg.build_sensor_context(instance=self.instance, repository_def=self.repository)
        # No channel works: the sensor's tick fails, and the next one sends.
        with contextlib.suppress(Exception):
            tick(context, Alerts(retry_after_s=0))

    def count(self, what: str, times: int = 1) -> None:
        self.events[what] = self.events.get(what, 0) + times

    def told(self) -> Places:
        """Places with an open incident, by the messages that arrived."""
        open_now: dict[tuple[str, str | None, str], int] = {}
        for what, dataset, partition, name in self.hook.told:
            place = (dataset, partition, name)
            open_now[place] = 0 if what == "closed" else 1
        return {(d, p) for (d, p, _), is_open in open_now.items() if is_open}

    def silent(self) -> list[str]:
        """Datasets that are not at their last good state, and of which nobody was told."""
        told = self.told()
        found: list[str] = []
        for dataset in self.datasets:
            for key, states in dataset.files.items():
                at = dataset.handled or START
                seen = [n for when, n in states if when <= at] or [None]
                published = self.published(dataset.name, key)
                known = (dataset.name, key) in told or (dataset.name, None) in told
                due = dataset.due
                if due is None or (key is not None and not self.complete(key, due)):
                    continue
                if published != seen[-1] and not known:
                    found.append(f"{dataset.name}[{key}]: {published} of {states}, due {due}")
                if published is not None and published not in [n for _, n in states]:
                    found.append(f"{dataset.name}[{key}]: {published} was never delivered")
        return found

    @staticmethod
    def complete(day: str, at: datetime) -> bool:
        return datetime.fromisoformat(day).replace(tzinfo=UTC) + timedelta(days=1) <= at

    @staticmethod
    def published(name: str, key: str | None) -> int | None:
        """Features that readers see."""
        store = Pipeline.of([]).store
        try:
            return store.profile(store.published_version(name, key)).count
        except NotPublishedError:
            return None


@contextlib.contextmanager
def clock_at(now: datetime) -> Iterator[None]:
    """The simulated time, for Dagster and for us; files carry the time of the machine."""
    with freeze_time(now), mock.patch("time.time", now.timestamp):
        yield


@contextlib.contextmanager
def simulated(
    folder: Path, seed: int, contracts: int, dsn: str | None = None
) -> Iterator[Simulation]:
    """A simulation whose instance, store and receiver live as long as the block."""
    with web() as hook, pytest.MonkeyPatch.context() as patch:
        environment: dict[str, Any] = {
            "SPATIAL_STORE": folder / "store",
            "SPATIAL_ALERT_URLS": f"hook={hook.url}",
            "SPATIAL_DATABASE_ACQUIRE_TIMEOUT_S": 2,
        }
        if dsn is not None:
            environment["SPATIAL_DATABASE_URL"] = dsn
        for name, value in environment.items():
            patch.setenv(name, str(value))
        with instance_for_test() as instance:
            yield Simulation(folder, instance, hook, seed, contracts, dsn)


def main() -> None:
    """Runs a simulation and prints what happened in it."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--contracts", type=int, default=100)
    parser.add_argument("--hours", type=float, default=24)
    parser.add_argument("--seed", type=int, default=1)
    chosen = parser.parse_args()
    logging.disable(logging.CRITICAL)
    warnings.filterwarnings("ignore", category=PreviewWarning)
    with (
        tempfile.TemporaryDirectory() as folder,
        running_cluster() as cluster,
        simulated(
            Path(folder), chosen.seed, chosen.contracts, cluster.dsn(cluster.new_database())
        ) as simulation,
    ):
        simulation.run(chosen.hours, lambda i, n: print(f"{i}/{n}", file=sys.stderr, flush=True))
        silent = simulation.silent()
        for what, times in sorted(simulation.events.items()):
            print(f"{times:6} {what}")
        print(f"{len(simulation.told()):6} places with an open incident that was sent")
        print(f"{len(silent):6} silent", *silent, sep="\n")
    sys.exit(bool(silent))


if __name__ == "__main__":
    main()
