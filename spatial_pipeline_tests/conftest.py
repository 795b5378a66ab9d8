"""Fixtures of the whole suite."""

from __future__ import annotations

import json
import multiprocessing.forkserver
import os
import random
import signal
from collections.abc import Iterator
from pathlib import Path

import hypothesis
import pytest

from spatial_pipeline.ingest.cage import client
from spatial_pipeline_tests.hard import CLUSTERS
from spatial_pipeline_tests.postgres import Cluster, NoPostgresError, running_cluster

# A slow machine is no failure.
hypothesis.settings.register_profile("suite", deadline=None)
hypothesis.settings.load_profile("suite")
FOREIGN = ("SPATIAL_", "DAGSTER_", "PG")
"""Prefixes of variables that would make a test depend on whoever runs it."""


LONG = (
    "test_tutorials.py", "test_demo.py", "orchestration", "test_deploy_compose.py",
    "test_killed.py", "ingest/cage/test_disk_full.py", "test_pytest_plugin.py", "test_remote.py",
    "distributed", "test_rebuild_tables.py", "publish/postgis/test_failures.py", "commands",
    "check/incremental/test_feature_cache.py",
)  # fmt: skip
"""Files and folders whose tests take seconds each: daemons, code servers, processes."""


def _within(path: Path) -> tuple[Path, ...]:
    return path, *path.parents


def pytest_addoption(parser: pytest.Parser) -> None:
    parser.addoption("--shuffle", type=int, metavar="SEED", help="run in an order of this seed")


def pytest_configure() -> None:
    """Lets what a test starts be stopped, even where the suite runs in the background of a shell.

    There SIGINT is ignored. Dagster gives SIGTERM the handler of SIGINT, and every process that it
    starts inherits that, so that each step waits a minute for the ends of its logs.
    """
    for number, usual in (
        (signal.SIGINT, signal.default_int_handler),
        (signal.SIGTERM, signal.SIG_DFL),
    ):
        if signal.getsignal(number) is signal.SIG_IGN:
            signal.signal(number, usual)


def pytest_collection_modifyitems(config: pytest.Config, items: list[pytest.Item]) -> None:
    """Puts what takes long first, so that no worker is left alone with it at the end.

    Shuffled, the files, and the tests of each file, alike in every worker.
    """
    seed = config.getoption("--shuffle")
    if seed is None:
        places = {config.rootpath / "spatial_pipeline_tests" / n: i for i, n in enumerate(LONG)}
        items.sort(key=lambda i: next((places[p] for p in _within(i.path) if p in places), 99))
        return
    chance = random.Random(seed)
    places = {path: chance.random() for path in sorted({i.path for i in items})}
    chance.shuffle(items)
    items.sort(key=lambda i: places[i.path])


@pytest.fixture(autouse=True)
def _own_environment(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in [n for n in os.environ if n.startswith(FOREIGN)]:
        monkeypatch.delenv(name)


@pytest.fixture(autouse=True, scope="module")
def _own_forkserver() -> None:
    """Steps are forked with the environment of the process that the first one of a module started.

    One that another module left would give them that module's store.
    """
    server = multiprocessing.forkserver._forkserver
    if server._forkserver_pid is not None:  # type: ignore[attr-defined]
        # Forks of this process hold the pipe open whose end the server waits for.
        os.kill(server._forkserver_pid, signal.SIGKILL)  # type: ignore[attr-defined]
        server._stop()  # type: ignore[attr-defined]


@pytest.fixture
def uncaged(monkeypatch: pytest.MonkeyPatch) -> None:
    """Stages files in this process, where a test may change the code that reads them."""
    monkeypatch.setattr(client, "stage", lambda job, progress=None: job.staged(progress))


@pytest.fixture(scope="session")
def postgres() -> Iterator[Cluster]:
    """A PostgreSQL server with PostGIS for this worker; it starts when a test first asks for it."""
    if CLUSTERS in os.environ:
        worker = int(os.environ.get("PYTEST_XDIST_WORKER", "gw0").removeprefix("gw"))
        given = json.loads(os.environ[CLUSTERS])[worker]
        yield Cluster(**{**given, "bindir": Path(given["bindir"])})
        return
    try:
        with running_cluster() as cluster:
            yield cluster
    except NoPostgresError as exc:
        pytest.fail(str(exc))
