"""``kill -9`` at random moments of ingest, check, publication (files, table), rollback and pruning.

Each round runs one stage in a process of its own that is killed at a random call or after a random
time, looks at what readers see, and then lets the next run go on. Readers of the file and of the
table look all the time. As a command, with as many kills as there is time for::

    python -m spatial_pipeline_tests.killed --kills 1000 --seed 1
"""

from __future__ import annotations

import argparse
import asyncio
import contextlib
import itertools
import json
import multiprocessing
import multiprocessing.forkserver
import os
import random
import signal
import sys
import tempfile
import threading
import time
from collections import Counter
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import asyncpg
import pyarrow.parquet as pq
from pydantic import SecretStr

from spatial_pipeline.check.engine import catalogue
from spatial_pipeline.contract.models import VectorContract
from spatial_pipeline.contract.retention import Retention
from spatial_pipeline.errors import GateClosedError, NotPublishedError
from spatial_pipeline.model.version import Publication, Version
from spatial_pipeline.pipeline.pipeline import Pipeline
from spatial_pipeline.pipeline.retention import prune_versions, targets
from spatial_pipeline.runtime.temporary import PREFIX
from spatial_pipeline.settings import Settings
from spatial_pipeline.testing.postgis import running_cluster

STAGES = ("stage", "audit", "publish", "table", "rollback", "prune")
FILES, TABLE = "files", "tabled"
"""The two datasets: one is published to files only, one to a table, too."""
processes = multiprocessing.get_context("forkserver")
Fatal = tuple[str, str, float]
"""The stage to die in, ``calls`` or ``seconds``, and how many of them."""
MEASURE: Fatal = ("", "measure", 0)
PRUNE = "prune"
"""Instead of a version to roll back to: prune both datasets."""
RETENTION = Retention(keep=2, days=0)
PRELOADED = ["spatial_pipeline.orchestration.preload", "spatial_pipeline_tests.killed"]


@dataclass(frozen=True)
class Place:
    """Where the datasets live."""

    folder: str
    dsn: str

    def contract(self, name: str) -> VectorContract:
        """Points without nulls."""
        return VectorContract.model_validate(
            {
                "name": name,
                "source": {"uri": str(Path(self.folder) / f"{name}.geojson")},
                "key": ["id"],
                "publish": {"table": f"gis.{name}"} if name == TABLE else None,
                "rules": [
                    {"rule": "not_empty"},
                    {"rule": "feature_count", "min": 1},
                    {"rule": "unique", "columns": ["id"]},
                ],
            }
        )

    def pipeline(self) -> Pipeline:
        """The pipeline of both datasets."""
        settings = Settings(
            store=Path(self.folder) / "store", database_url=SecretStr(self.dsn), lock_timeout_s=60
        )
        return Pipeline.of([self.contract(n) for n in (FILES, TABLE)], settings)


def write(path: Path, count: int, mark: int, good: bool) -> None:
    """Points that carry a mark of their version; one of a bad version is nowhere."""
    features = [
        {
            "type": "Feature",
            "properties": {"id": i, "mark": mark},
            "geometry": {"type": "Point", "coordinates": [i, mark]} if good or i else None,
        }
        for i in range(count)
    ]
    path.write_text(json.dumps({"type": "FeatureCollection", "features": features}))


@contextlib.contextmanager
def deadly(calls: dict[str, float], stage: str, fatal: Fatal | None) -> Iterator[None]:
    """Dies at a call (or return, Python's or C's, in any thread) or moment; notes both if not."""
    counter, seen, began = itertools.count(1), 0, time.perf_counter()
    how, limit = fatal[1:] if fatal is not None and fatal[0] in {stage, ""} else ("", 0.0)

    def profiler(*_: Any) -> None:
        nonlocal seen
        seen = next(counter)
        if seen == limit:
            os.kill(os.getpid(), signal.SIGKILL)

    def later() -> None:
        time.sleep(limit)
        os.kill(os.getpid(), signal.SIGKILL)

    if how == "seconds":
        threading.Thread(target=later, daemon=True).start()
    elif how in {"calls", "measure"}:
        threading.setprofile(profiler)
        sys.setprofile(profiler)
    try:
        yield
    finally:
        sys.setprofile(None)
        threading.setprofile(None)  # type: ignore[arg-type]
        calls[stage] = seen
        calls[f"{stage} s"] = time.perf_counter() - began


def run(place: Place, name: str, to: str | None, fatal: Fatal | None, report: Any) -> None:
    """Stages, checks and publishes, or rolls back, or prunes; sends what became of it."""
    catalogue.load()
    story, dataset = place.pipeline(), place.contract(name)
    calls: dict[str, float] = {}
    outcome, last = "published", "publish" if name == FILES else "table"
    if to == PRUNE:
        # As if it was tomorrow: everything is old enough.
        wanted, tomorrow = targets(story.store, RETENTION), time.time() + 86_400
        with deadly(calls, "prune", fatal):
            pruning = prune_versions(story.store, story.database, wanted, now=tomorrow)
            done = asyncio.run(pruning)
        outcome, version = "; ".join(p.error for p in done if p.error) or "pruned", ""
    elif to is not None:
        with deadly(calls, "rollback", fatal):
            version = asyncio.run(story.roll_back(dataset, to=to)).version
    else:
        with deadly(calls, "stage", fatal):
            staged = story.stage(dataset)
        with deadly(calls, "audit", fatal):
            asyncio.run(story.audit(dataset, staged))
        with deadly(calls, last, fatal):
            try:
                asyncio.run(story.apublish(dataset, staged))
            except GateClosedError:
                outcome = "held"
        version = staged.id
    report.send((outcome, version, calls))
    report.close()


def in_process(target: Callable[..., None], args: tuple[Any, ...], patience: float = 120) -> Any:
    """The exit code of a call in a process of its own, and what it sent; None when it sent nothing.

    Args:
        target: the call; its last argument is the end of a pipe to which it sends.
        args: its other arguments.
        patience: seconds until the process counts as hanging.

    """
    receiver, sender = processes.Pipe(duplex=False)
    process = processes.Process(target=target, args=(*args, sender))
    process.start()
    sender.close()
    try:
        report = receiver.recv()
    except EOFError:
        report = None
    process.join(patience)
    assert process.exitcode is not None, f"{target.__name__} hangs"
    return process.exitcode, report


def child(place: Place, name: str, to: str | None = None, fatal: Fatal | None = None) -> Any:
    """The exit code of a run in a process of its own, and what it reported."""
    return in_process(run, (place, name, to, fatal))


@dataclass
class Campaign:
    """Rounds of killing, and what readers saw meanwhile.

    Attributes:
        place: where the datasets live.
        rng: decides when to kill.
        counts: number of rows of each good version, by its mark.
        killed: kills by stage.
        problems: what was not as it should be.
        looks: how often readers looked.

    """

    place: Place
    rng: random.Random
    counts: dict[str, dict[int, int]] = field(default_factory=lambda: {FILES: {}, TABLE: {}})
    killed: Counter[str] = field(default_factory=Counter)
    problems: list[str] = field(default_factory=list)
    looks: int = 0
    _mark: int = 0
    _calls: dict[str, dict[str, float]] = field(default_factory=dict)

    def begin(self) -> None:
        """Publishes two versions of each dataset; takes the measure of each stage."""
        asyncio.run(self._execute("CREATE SCHEMA IF NOT EXISTS gis"))
        for name in (FILES, TABLE):
            for _ in range(2):
                self._next(name, True)
                self._calls[name] = self._completed(name, "published", fatal=MEASURE)
            to = self._pointer(name).history[0]
            self._calls[name] |= self._completed(name, "published", to, MEASURE)
            self._calls[name] |= self._completed(name, "pruned", PRUNE, MEASURE)

    def kill(self, stage: str) -> None:
        """One kill within a stage, and the next run."""
        name = {"publish": FILES, "table": TABLE}.get(stage) or self.rng.choice([FILES, TABLE])
        if stage == "prune":
            before = {n: self._needed(n) for n in (FILES, TABLE)}
            self._die(stage, name, PRUNE)
            assert {n: self._needed(n) for n in (FILES, TABLE)} == before
            self._completed(name, "pruned", PRUNE)
            assert {n: self._needed(n) for n in (FILES, TABLE)} == before
            assert self._superfluous() == []
        elif stage == "rollback":
            if not self._earlier(name):
                self._next(name, True)
                self._completed(name, "published")
            pointer, to = self._pointer(name), self._earlier(name)[0]
            self._die(stage, name, to)
            assert self.seen(name) in {pointer.version, to}
            self._completed(name, "published", to)
            assert pointer.version in self._pointer(name).withdrawn
        else:
            good = self.rng.random() < 0.7
            before = self.seen(name)
            self._next(name, good)
            self._die(stage, name, None)
            assert good or self.seen(name) == before
            self._completed(name, "published" if good else "held")
            assert good or self.seen(name) == before
        assert self.leftovers() == [], self.leftovers()

    def _earlier(self, name: str) -> list[str]:
        """Versions that a rollback may go to: published before, not withdrawn and not pruned."""
        pointer, store = self._pointer(name), self.place.pipeline().store
        good = [h for h in pointer.history if h not in pointer.withdrawn]
        return [h for h in good if store.has(Version(name, None, h))]

    def _needed(self, name: str) -> list[str]:
        """What readers see, what was staged last and what a rollback needs: all whole."""
        store = self.place.pipeline().store
        last = store.staged_version(name, None).id
        found = [self.seen(name), last, *self._earlier(name)[: RETENTION.keep]]
        return [f"{v}: {store.content(Version(name, None, v))}" for v in found]

    def _superfluous(self) -> list[Version]:
        """Versions that a completed pruning should have deleted."""
        store = self.place.pipeline().store
        found = []
        for name in (FILES, TABLE):
            needed = {n.partition(":")[0] for n in self._needed(name)}
            found += [v for v in store.versions(name, None) if v.id not in needed]
        return found

    def _next(self, name: str, good: bool) -> None:
        self._mark += 1
        count = 20 + self._mark % 60
        if good:
            self.counts[name][self._mark] = count
        write(Path(self.place.folder) / f"{name}.geojson", count, self._mark, good)

    def _die(self, stage: str, name: str, to: str | None) -> None:
        how = self.rng.choice(["calls", "seconds"])
        calls = self._calls[name]
        limit = (
            self.rng.randint(1, int(calls[stage]))
            if how == "calls"
            else self.rng.uniform(0, calls[f"{stage} s"])
        )
        code, _ = child(self.place, name, to, (stage, how, limit))
        assert code in {0, -signal.SIGKILL}, f"{stage} of {name} ended with {code}"
        if code:
            self.killed[stage] += 1

    def _completed(
        self, name: str, expected: str, to: str | None = None, fatal: Fatal | None = None
    ) -> dict[str, float]:
        """The next run ends well: readers of file and table see what it says."""
        code, report = child(self.place, name, to, fatal)
        assert code == 0, f"the next run of {name} ended with {code}"
        outcome, version, calls = report
        assert outcome == expected, (name, outcome, expected)
        if outcome == "published":
            assert self.seen(name) == version == (to or version)
            if name == TABLE:
                assert asyncio.run(self._mark_in_table()) == self._mark_in_file(name)
        return dict(calls)

    def _pointer(self, name: str) -> Publication:
        pointer = self.place.pipeline().store.published(name, None)
        assert pointer is not None
        return pointer

    def seen(self, name: str) -> str:
        """The published version, after proof that it is whole and good."""
        store = self.place.pipeline().store
        version = store.published_version(name, None)
        self._mark_in_file(name)
        verdict = store.verdict(version)
        assert verdict is not None
        assert verdict.content == store.content(version)
        return version.id

    def _mark_in_file(self, name: str) -> int:
        store = self.place.pipeline().store
        version = store.published_version(name, None)
        table = pq.read_table(store.data_path(version))
        marks = set(table.column("mark").to_pylist())
        assert len(marks) == 1, f"{version} has rows of {len(marks)} versions"
        (mark,) = marks
        assert self.counts[name].get(mark) == table.num_rows, f"{version} is partial or unproven"
        assert table.column("geometry").null_count == 0
        return int(mark)

    async def _mark_in_table(self) -> int:
        rows = await self._execute("SELECT mark, count(*) FROM gis.tabled GROUP BY mark")
        assert len(rows) == 1, f"the table shows {len(rows)} versions"
        mark, count = rows[0]
        assert self.counts[TABLE].get(mark) == count, f"mark {mark} is partial or unproven"
        return int(mark)

    async def _execute(self, statement: str) -> Any:
        connection = await asyncpg.connect(self.place.dsn)
        try:
            return await connection.fetch(statement)
        finally:
            await connection.close()

    def leftovers(self) -> list[str]:
        """Temporary files, folders and tables that dead processes left."""
        store = Path(self.place.folder) / "store"
        found = [str(p) for p in store.rglob(".*") if p.suffix == ".tmp" or "unfinished" in p.name]
        found += [str(p) for p in Path(tempfile.gettempdir()).glob(f"{PREFIX}*")]
        rows = asyncio.run(
            self._execute(
                "SELECT relname FROM pg_class WHERE relnamespace = 'gis'::regnamespace"
                " AND relkind IN ('r', 'p') AND relname <> 'tabled' AND relname NOT IN"
                " (SELECT part_name FROM spatial_pipeline.parts WHERE state <> 'obsolete')"
            )
        )
        return found + [r["relname"] for r in rows]

    @contextlib.contextmanager
    def readers(self) -> Iterator[None]:
        """Readers of the file and of the table, who look until the end of the block."""
        stop = threading.Event()

        def look() -> None:
            while not stop.wait(0.2):
                try:
                    for name in (FILES, TABLE):
                        with contextlib.suppress(NotPublishedError):
                            self._mark_in_file(name)
                    asyncio.run(self._mark_in_table())
                    self.looks += 1
                except Exception as exc:
                    self._note(f"a reader: {exc!r}")

        thread = threading.Thread(target=look)
        thread.start()
        try:
            yield
        finally:
            stop.set()
            thread.join()

    def _note(self, problem: str) -> None:
        self.problems.append(problem)
        print(problem, file=sys.stderr, flush=True)

    def entries(self) -> int:
        """Files and folders of the store that are no version: they must not become more."""
        store = Path(self.place.folder) / "store"
        return sum(1 for p in store.glob("*/*/*") if not (p / "profile.json").exists())

    def fight(self, kills: int) -> dict[str, Any]:
        """Kills as often as that, stage by stage in turn; the figures."""
        self.begin()
        before = self.entries()
        with self.readers():
            for stage in itertools.cycle(STAGES):
                if self.killed.total() >= kills:
                    break
                try:
                    self.kill(stage)
                except AssertionError as exc:
                    self._note(f"{stage}: {exc}")
                if self.killed.total() % 50 == 0:
                    print(json.dumps(dict(self.killed)), file=sys.stderr, flush=True)
        return {
            "kills": self.killed.total(),
            "by stage": dict(self.killed),
            "problems": self.problems,
            "left behind": len(self.leftovers()),
            "entries of the store beside versions": [before, self.entries()],
            "looks of readers": self.looks,
        }


def main() -> None:
    """The command; see the module."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--kills", type=int, default=1000)
    parser.add_argument("--seed", type=int, default=1)
    given = parser.parse_args()
    processes.set_forkserver_preload(PRELOADED)
    with running_cluster() as cluster, tempfile.TemporaryDirectory(prefix="killed-") as folder:
        os.environ["TMPDIR"] = folder
        # Its own folder is made before ours counts, and removed after ours.
        multiprocessing.forkserver.ensure_running()
        tempfile.tempdir = folder
        place = Place(folder, cluster.dsn(cluster.new_database("killed")))
        figures = Campaign(place, random.Random(given.seed)).fight(given.kills)
        tempfile.tempdir = None
    print(json.dumps(figures, indent=1))


if __name__ == "__main__":
    # Processes import the module by its name, not the command once more.
    vars(sys.modules["__main__"]).update(__spec__=None, __file__=None)
    from spatial_pipeline_tests import killed

    killed.main()
