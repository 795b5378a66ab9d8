"""``kill -9`` at 50 random moments: readers see whole, proven versions; the next run completes."""

from __future__ import annotations

import multiprocessing
import random
import signal
import threading
from pathlib import Path

import pyarrow.parquet as pq
import pytest

from spatial_pipeline.errors import NotPublishedError
from spatial_pipeline_tests.killed import STAGES, contract, pipeline, run
from spatial_pipeline_tests.orchestration.projects import write_points

KILLS = 50
processes = multiprocessing.get_context("forkserver")
processes.set_forkserver_preload(["spatial_pipeline_tests.killed"])


def child(folder: Path, stage: str | None = None, fatal: int | None = None) -> tuple[int, object]:
    receiver, sender = processes.Pipe(duplex=False)
    process = processes.Process(target=run, args=(str(folder), stage, fatal, sender))
    process.start()
    sender.close()
    try:
        report = receiver.recv()
    except EOFError:
        report = None
    process.join(60)
    assert process.exitcode is not None
    return process.exitcode, report


def seen_by_a_reader(folder: Path) -> str | None:
    """The published version, after proof that it is whole and proven; None before the first."""
    story = pipeline(folder)
    try:
        version = story.store.published_version("points", None)
    except NotPublishedError:
        return None
    table = pq.read_table(story.store.data_path(version))
    profile = story.store.profile(version)
    assert table.num_rows == profile.count > 0
    assert story.decide(contract(folder), version).open
    assert table.column("geometry").null_count == 0
    return version.id


@pytest.mark.timeout(600)
def test_killed_at_random_moments(tmp_path: Path) -> None:
    rng = random.Random(20261123)
    write_points(tmp_path / "points.geojson", [[i, i] for i in range(200)])
    code, report = child(tmp_path)
    assert code == 0
    outcome, published, calls = report
    assert outcome == "published"
    assert set(calls) == set(STAGES)

    stop = threading.Event()
    torn: list[BaseException] = []

    def reader() -> None:
        while not stop.is_set():
            try:
                assert seen_by_a_reader(tmp_path) is not None
            except BaseException as exc:
                torn.append(exc)
                return

    thread = threading.Thread(target=reader)
    thread.start()
    killed = dict.fromkeys(STAGES, 0)
    try:
        for i in range(KILLS):
            good = rng.random() < 0.7
            points: list[list[int] | None] = [[i, j] for j in range(200 + i)]
            if not good:
                points[rng.randrange(200)] = None
            write_points(tmp_path / "points.geojson", points)

            stage = STAGES[i % 3]
            code, report = child(tmp_path, stage, rng.randint(1, calls[stage]))
            if code == -signal.SIGKILL:
                killed[stage] += 1
            now = seen_by_a_reader(tmp_path)
            assert now == published or good

            code, report = child(tmp_path)
            assert code == 0
            outcome, version, _ = report
            assert outcome == ("published" if good else "held")
            published = version if good else published
            assert seen_by_a_reader(tmp_path) == published
    finally:
        stop.set()
        thread.join()
    assert not torn, torn
    assert sum(killed.values()) >= KILLS * 0.9, killed
    assert min(killed.values()) >= 10, killed
    leftovers = [p.name for p in (tmp_path / "store" / "points" / "-").glob(".unfinished-*")]
    assert leftovers == []
