"""``kill -9`` at random moments of alert ticks, acknowledgements and silences.

Each round changes what is wrong, kills a tick or the word of a person in a process of its own, and
lets the next ticks go on. As a command, with as many kills as there is time for::

    python -m spatial_pipeline_tests.orchestration.killed_alerts --kills 300 --seed 1
"""

from __future__ import annotations

import argparse
import asyncio
import contextlib
import itertools
import json
import os
import random
import signal
import sys
import tempfile
import time
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import dagster as dg
import pytest
from dagster import DagsterEvent, DagsterEventType
from dagster._core.test_utils import create_run_for_test, instance_for_test

from spatial_pipeline.alert.dispatcher import AlertDispatcher, AlertState
from spatial_pipeline.alert.problems import Place
from spatial_pipeline.alert.silences import Silence
from spatial_pipeline.contract.models import VectorContract
from spatial_pipeline.contract.operations import Alerts
from spatial_pipeline.orchestration.alerts.people import desk_of
from spatial_pipeline.orchestration.alerts.sensor import tick
from spatial_pipeline.orchestration.alerts.state import Book
from spatial_pipeline.orchestration.dataset import dataset_definitions
from spatial_pipeline.orchestration.keys import staged_key
from spatial_pipeline.pipeline.pipeline import Pipeline
from spatial_pipeline.settings import Settings
from spatial_pipeline_tests.alert.receivers import Web, web
from spatial_pipeline_tests.killed import MEASURE, Fatal, deadly, in_process, processes
from spatial_pipeline_tests.orchestration.projects import write_points

STAGES = ("tick", "acknowledge", "silence", "unsilence")
DATASETS = ("a", "b", "c")
LOCATION = "location"
QUIET_S = 3600.0


def contract(folder: Path, name: str) -> VectorContract:
    """Points: three of them are too few, and one without a place is wrong, too."""
    return VectorContract.model_validate(
        {
            "name": name,
            "source": {"uri": str(folder / f"{name}.geojson")},
            "key": ["id"],
            "rules": [{"rule": "not_empty"}, {"rule": "feature_count", "min": 4}],
        }
    )


def act(environment: dict[str, str], stage: str, name: str, fatal: Fatal | None, to: Any) -> None:
    """One tick, or one word of a person, that may die; sends its calls."""
    os.environ.update(environment)
    folder = Path(environment["FOLDER"])
    calls: dict[str, float] = {}
    if stage == "tick":
        parts = [dataset_definitions(contract(folder, d)) for d in DATASETS]
        repository = dg.Definitions.merge(*parts).get_repository_def()
        with dg.DagsterInstance.get() as instance:
            context = dg.build_sensor_context(instance=instance, repository_def=repository)
            with deadly(calls, stage, fatal):
                tick(context, Alerts(retry_after_s=0))
    else:
        with deadly(calls, stage, fatal), desk_of(None, Settings()) as desk:
            if stage == "acknowledge":
                desk.acknowledge(name, None, "anna")
            elif stage == "silence":
                desk.silence(Silence(name, None, time.time() + QUIET_S, "ben"))
            else:
                desk.end_silences(name, None)
    to.send(calls)
    to.close()


@dataclass
class Campaign:
    """Rounds of killing.

    Attributes:
        folder: sources, store and instance.
        instance: the instance that the processes use.
        hook: takes the messages.
        rng: decides what happens, and when to kill.
        wrong: datasets that do not pass now.
        killed: kills by stage.
        problems: what was not as it should be.
        twice: messages that arrived again, under the same id, because of a kill.

    """

    folder: Path
    instance: dg.DagsterInstance
    hook: Web
    rng: random.Random
    wrong: dict[str, bool] = field(default_factory=lambda: dict.fromkeys(DATASETS, False))
    killed: Counter[str] = field(default_factory=Counter)
    problems: list[str] = field(default_factory=list)
    twice: int = 0
    _calls: dict[str, dict[str, float]] = field(default_factory=dict)
    _versions: dict[tuple[str, bool], Any] = field(default_factory=dict)

    def begin(self) -> None:
        """Stages and checks a good and a bad version of each dataset; measures each stage."""
        for name, bad in itertools.product(DATASETS, (False, True)):
            made = contract(self.folder, name)
            write_points(self.folder / f"{name}.geojson", [[i, i] for i in range(3 if bad else 5)])
            pipeline = Pipeline.of([made])
            version = pipeline.stage(made)
            self._versions[name, bad] = (version, asyncio.run(pipeline.audit(made, version)))
        for name in DATASETS:
            self.change(name)
        for stage in STAGES:
            code, self._calls[stage] = self.child(stage, "a", MEASURE)
            assert code == 0, f"{stage} ended with {code}"
        self.child("tick", "")

    def change(self, name: str) -> None:
        """A run that finds what was right wrong, or the other way round, as its events say."""
        self.wrong[name] = not self.wrong[name]
        version, verdict = self._versions[name, self.wrong[name]]
        run = create_run_for_test(self.instance, status=dg.DagsterRunStatus.STARTED)

        def event(kind: DagsterEventType, data: Any = None) -> None:
            step = None if data is None else f"{name}__checks"
            said = DagsterEvent(kind.value, run.job_name, step_key=step, event_specific_data=data)
            self.instance.report_dagster_event(said, run_id=run.run_id)

        for result in verdict.results:
            evaluation = dg.AssetCheckEvaluation(
                asset_key=staged_key(name),
                check_name=result.name,
                passed=result.passed,
                metadata={"version": dg.MetadataValue.text(version.id)},
            )
            event(DagsterEventType.ASSET_CHECK_EVALUATION, evaluation)
        event(DagsterEventType.RUN_SUCCESS)

    def child(
        self, stage: str, name: str, fatal: Fatal | None = None
    ) -> tuple[int, dict[str, float]]:
        """Exit code and calls of an act in a process of its own."""
        environment = {
            n: v for n, v in os.environ.items() if n.startswith(("SPATIAL_", "DAGSTER_HOME"))
        } | {"FOLDER": str(self.folder)}
        code, calls = in_process(act, (environment, stage, name, fatal))
        return code, calls or {}

    def state(self) -> AlertState:
        """The stored state; it can always be read."""
        return AlertDispatcher(Book(self.instance, LOCATION), ()).state

    def kill(self, stage: str) -> None:
        """One kill within a stage, and the next ticks."""
        for name in DATASETS:
            if self.rng.random() < (0.8 if stage == "tick" else 0.3):
                self.change(name)
        if stage != "tick":
            self.child("tick", "")
        name = self.rng.choice(DATASETS)
        known, before = len(self.hook.ids), set(self.hook.ids)
        held_back = self._word(stage, name)
        how = self.rng.choice(["calls", "seconds"])
        most = self._calls[stage][stage if how == "calls" else f"{stage} s"]
        limit = self.rng.randint(1, int(most)) if how == "calls" else self.rng.uniform(0, most)
        code, _ = self.child(stage, name, (stage, how, limit))
        assert code in {0, -signal.SIGKILL}, f"{stage} ended with {code}"
        self.killed[stage] += code != 0
        after = self._word(stage, name)
        assert after in {held_back, stage != "unsilence"}, f"{stage} is half done"
        if code and stage != "tick" and self._word(stage, name) != (stage != "unsilence"):
            # The person says it again.
            assert self.child(stage, name)[0] == 0
        # Silences end, so that what is still wrong is told.
        for dataset in {s.datasets for s in self.state().silences}:
            assert self.child("unsilence", dataset)[0] == 0
        for _ in range(2):
            assert self.child("tick", "")[0] == 0
        fresh = self.hook.ids[known:]
        again = [i for i in fresh if i in before] + [i for i, n in Counter(fresh).items() if n > 1]
        assert len(again) <= (code != 0), f"sent again: {again}"
        self.twice += len(again)
        self._nothing_lost()

    def _word(self, stage: str, name: str) -> bool:
        """True when what a person said of a dataset holds."""
        state = self.state()
        if stage == "acknowledge":
            place: Place = (name, None)
            open_ = any(i.key.place == place for i in state.incidents)
            return not open_ or any(a.place == place for a in state.acknowledged)
        return any(s.datasets == name for s in state.silences) if stage != "tick" else False

    def _nothing_lost(self) -> None:
        """What people were told last of each dataset is what is so; nothing has two ids."""
        last: dict[tuple[str, str], str] = {}
        for what, dataset, _, name in self.hook.told:
            if what not in {"acknowledged", "silenced"}:
                last[dataset, name] = what
        for name, wrong in self.wrong.items():
            told = last.get((name, "feature_count"), "closed") != "closed"
            assert told == wrong, f"{name}: people think that it is {'wrong' if told else 'right'}"
        states: dict[tuple[str, int], set[str]] = {}
        for message in self.hook.received:
            for alert in message["alerts"]:
                key = (alert["incident"], alert["state"])
                states.setdefault(key, set()).add(message["alert_id"])
        several = {k: v for k, v in states.items() if len(v) > 1}
        assert not several, f"one state of an incident under several ids: {several}"
        assert not any(q.entries for q in self.state().outbox.queues.values())

    def fight(self, kills: int) -> dict[str, Any]:
        """Kills as often as that, stage by stage in turn; the figures."""
        self.begin()
        for stage in itertools.cycle(STAGES):
            if self.killed.total() >= kills:
                break
            try:
                self.kill(stage)
            except AssertionError as exc:
                self.problems.append(f"{stage}: {exc}")
                print(self.problems[-1], file=sys.stderr, flush=True)
            if self.killed.total() % 25 == 0:
                print(dict(self.killed), file=sys.stderr, flush=True)
        return {
            "kills": self.killed.total(),
            "by stage": dict(self.killed),
            "messages": len(self.hook.ids),
            "sent again under the same id": self.twice,
            "problems": self.problems,
        }


@contextlib.contextmanager
def campaign(folder: Path, seed: int) -> Iterator[Campaign]:
    """A campaign whose instance and receiver live as long as the block."""
    processes.set_forkserver_preload([__spec__.name if __spec__ else __name__])
    with web() as hook, pytest.MonkeyPatch.context() as patch:
        patch.setenv("SPATIAL_STORE", str(folder / "store"))
        patch.setenv("SPATIAL_ALERT_URLS", f"hook={hook.url}")
        with instance_for_test(temp_dir=str(folder)) as instance:
            patch.setenv("DAGSTER_HOME", str(folder))
            yield Campaign(folder, instance, hook, random.Random(seed))


def main() -> None:
    """The command; see the module."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--kills", type=int, default=300)
    parser.add_argument("--seed", type=int, default=1)
    given = parser.parse_args()
    with (
        tempfile.TemporaryDirectory(prefix="killed-") as folder,
        campaign(Path(folder), given.seed) as made,
    ):
        print(json.dumps(made.fight(given.kills), indent=1))
    raise SystemExit(bool(made.problems))


if __name__ == "__main__":
    # Processes import the module by its name, not the command once more.
    vars(sys.modules["__main__"]).update(__spec__=None, __file__=None)
    from spatial_pipeline_tests.orchestration import killed_alerts

    killed_alerts.main()
