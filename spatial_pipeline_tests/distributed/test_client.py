"""Whatever machines look at the pieces, and whatever happens to them, the answers are the same."""

from __future__ import annotations

import asyncio
import logging
import os
import sys
import threading
import time
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import geopandas
import numpy as np
import pytest
import rasterio
import shapely
from blockbuster import BlockBuster
from distributed import Client
from rasterio import Affine

from spatial_pipeline.check.engine.engine import evaluate
from spatial_pipeline.check.engine.plan import Plan
from spatial_pipeline.contract.models import Contract, RasterContract, VectorContract
from spatial_pipeline.contract.rules.validity import ValidGeometry
from spatial_pipeline.contract.vocabulary import Status
from spatial_pipeline.distributed import client as client_module
from spatial_pipeline.distributed import worker
from spatial_pipeline.distributed.batching import Questions
from spatial_pipeline.distributed.client import address_mistake, connected
from spatial_pipeline.errors import ClusterError
from spatial_pipeline.model.version import Version
from spatial_pipeline.pipeline.pipeline import Audit, Pipeline
from spatial_pipeline.store.staged import StagedVector
from spatial_pipeline.store.versions import Store
from spatial_pipeline_tests.machines import Machines, machines
from spatial_pipeline_tests.odd_rules import Odd

SIDE = 30
PIECE = 50
RULES: list[dict[str, Any]] = [
    {"rule": "unique", "columns": ["id"]},
    {"rule": "value_range", "column": "id", "min": 5},
    {"rule": "valid_geometry"},
    {"rule": "no_duplicate_geometries"},
    {"rule": "must_not_overlap"},
    {"rule": "must_not_overlap", "name": "of_odd_ones", "where": "odd = 1"},
    {"rule": "must_not_have_gaps", "max_area": 50.0},
    {"rule": "must_not_have_dangles", "severity": "warn"},
]


def sheet() -> geopandas.GeoDataFrame:
    """Squares with overlaps, a gap, a bow tie, a duplicate and a null."""
    x, y = (v.ravel().astype(float) for v in np.meshgrid(np.arange(SIDE), np.arange(SIDE)))
    number = np.arange(len(x))
    shapes = shapely.box(x, y, x + 1 + np.where(number % 97 == 0, 0.1, 0.0), y + 1)
    shapes[200] = shapely.Polygon([(20, 6), (21, 7), (21, 6), (20, 7)])
    shapes[301], shapes[444], shapes[611] = shapes[300], None, shapely.box(11, 20, 11.5, 21)
    return geopandas.GeoDataFrame(
        {"id": np.where(number == 800, 799, number), "odd": number % 2},
        geometry=shapes,
        crs="EPSG:32633",
    )


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("cluster")
    sheet().to_parquet(folder / "sheet.parquet", index=False)
    cover = [shapely.box(-1, -1, 14.5, 31), shapely.box(14.5, -1, 31, 28.75)]
    there = geopandas.GeoDataFrame({"n": [0, 1]}, geometry=cover, crs="EPSG:32633")
    there.to_file(folder / "cover.gpkg")
    there.to_crs("EPSG:4326").to_file(folder / "cover4326.gpkg")
    values = np.arange(700 * 600, dtype="uint16").reshape(1, 700, 600) % 4000
    values[0, 300:340, 200:260] = 0
    profile = {"driver": "GTiff", "count": 1, "height": 700, "width": 600, "dtype": "uint16",
               "crs": "EPSG:32633", "nodata": 0, "tiled": True,
               "blockxsize": 128, "blockysize": 128}  # fmt: skip
    for name, west in (("first", 500_000), ("second", 500_005)):
        where = folder / f"{name}.tif"
        with rasterio.open(
            where, "w", **profile, transform=Affine(10, 0, west, 0, -10, 5e6)
        ) as out:
            out.write(values)
    return folder


@pytest.fixture(scope="module")
def cluster(folder: Path) -> Iterator[Machines]:
    with machines(folder / "machines") as running:
        yield running


def vector(folder: Path, extra: list[dict[str, Any]] | None = None) -> VectorContract:
    covered = [
        {"rule": "must_be_covered_by", "name": n, "other": {"uri": str(folder / f"{n}.gpkg")}}
        for n in ("cover", "cover4326")
    ]
    return VectorContract.model_validate(
        {
            "name": "sheet",
            "source": {"uri": str(folder / "sheet.parquet")},
            "key": ["id"],
            "rules": [*RULES, *covered, *(extra or [])],
        }
    )


def raster(folder: Path) -> RasterContract:
    other = {"uri": str(folder / "second.tif")}
    return RasterContract.model_validate(
        {
            "name": "grid",
            "source": {"uri": str(folder / "first.tif")},
            "rules": [
                {"rule": "readable_pixels"},
                {"rule": "pixel_range", "min": 1, "max": 3990},
                {"rule": "nodata_fraction", "max": 0.001},
                {"rule": "same_pixels_as", "other": other, "resample": "bilinear"},
                {"rule": "round_trips", "format": "GTiff"},
            ],
        }
    )


def prepared(folder: Path, contract: Contract) -> tuple[Pipeline, Version]:
    pipeline = Pipeline({contract.name: contract}, Store(folder / "store"), jobs=2)
    return pipeline, pipeline.stage(contract)


def told(pipeline: Pipeline, version: Version, audit: Audit) -> tuple[list[Any], bytes]:
    """Everything that a check says, without how long it took and where a round trip went."""
    results = [replace(r, elapsed_s=0.0, against={}) for r in audit.results]
    return results, (pipeline.store.path(version) / "violations.parquet").read_bytes()


@pytest.fixture
def small(monkeypatch: pytest.MonkeyPatch) -> None:
    """Pieces of 50 features."""
    monkeypatch.setattr("spatial_pipeline.check.engine.memory_budget.PIECE", PIECE)
    monkeypatch.setattr("spatial_pipeline.store.staged.WINDOW_PIXELS", 1 << 16)


@pytest.fixture
def asked(monkeypatch: pytest.MonkeyPatch) -> list[int]:
    """The pieces that were looked at elsewhere."""
    asked: list[int] = []
    answers = Questions.answers

    async def counted(self: Questions, index: int, *arguments: Any) -> Any:
        answer = await answers(self, index, *arguments)
        asked.append(index)
        return answer

    monkeypatch.setattr(Questions, "answers", counted)
    return asked


@pytest.fixture
def pair(cluster: Machines) -> Machines:
    """Two workers of one thread each."""
    cluster.keep(2)
    return cluster


async def evaluated(
    folder: Path, address: str | None, rules: list[Any], patience_s: float = 60.0, **options: Any
) -> list[Any]:
    """Results without how long they took."""
    pipeline, version = prepared(folder, vector(folder))
    data = pipeline.store.open(version)
    async with connected(address, pipeline.store.root, patience_s=patience_s) as remote:
        found = await evaluate(rules, data, plan=Plan(piece_size=PIECE), remote=remote, **options)
    return [replace(r, elapsed_s=0.0) for r, _ in found]


def _executing(dask_worker: Any) -> int:
    return len(dask_worker.state.executing)


async def busy(address: str) -> None:
    """Returns when every worker has something to do."""
    begun = time.perf_counter()
    async with Client(address, asynchronous=True, set_as_default=False) as client:
        while not all((await client.run(_executing)).values()):
            assert time.perf_counter() - begun < 120
            await asyncio.sleep(0.05)


def test_a_scheduler_without_workers_is_an_error(folder: Path, cluster: Machines) -> None:
    cluster.dismiss()
    (result,) = asyncio.run(evaluated(folder, cluster.address, [ValidGeometry()], patience_s=0.3))
    assert result.status is Status.ERROR
    assert f"start one with 'dask worker {cluster.address}'" in result.message


def test_workers_may_come_after_the_check_has_begun(
    folder: Path, cluster: Machines, asked: list[int]
) -> None:
    cluster.dismiss()
    rules = [ValidGeometry()]

    async def main() -> list[Any]:
        checking = asyncio.create_task(evaluated(folder, cluster.address, rules))
        await asyncio.sleep(0.5)
        await asyncio.to_thread(cluster.hire, 1)
        return await checking

    assert asyncio.run(main()) == asyncio.run(evaluated(folder, None, rules))
    assert len(asked) == SIDE * SIDE // PIECE


@pytest.mark.usefixtures("small")
@pytest.mark.parametrize("workers", [1, 2, 3])
def test_same_answers_for_any_number_of_workers(
    folder: Path, cluster: Machines, workers: int, asked: list[int]
) -> None:
    cluster.keep(workers)
    for contract, pieces in ((vector(folder), SIDE * SIDE // PIECE), (raster(folder), 4)):
        pipeline, version = prepared(folder, contract)
        here = told(pipeline, version, asyncio.run(pipeline.audit(contract, version)))
        assert {r.status for r in here[0]} == {Status.PASSED, Status.FAILED}
        elsewhere = replace(pipeline, dask_scheduler=cluster.address)
        assert told(pipeline, version, asyncio.run(elsewhere.audit(contract, version))) == here
        assert sorted(asked) == list(range(pieces))
        asked.clear()


def test_rules_that_raise_or_hang_stop_no_other(folder: Path, pair: Machines) -> None:
    rules = [
        Odd(name="raises", does="raise"),
        Odd(name="hangs", does="sleep", timeout_s=0.3),
        Odd(name="nothing"),
        ValidGeometry(max_violations=3),
    ]
    there = asyncio.run(evaluated(folder, pair.address, rules))
    assert there == asyncio.run(evaluated(folder, None, rules))
    assert [(r.status, r.message) for r in there[:3]] == [
        (Status.ERROR, "ValueError: odd"),
        (Status.TIMEOUT, "stopped after 0.3 s of work"),
        (Status.PASSED, "900 checked"),
    ]
    assert there[3].status is Status.PASSED


def test_time_is_counted_over_all_machines(folder: Path, pair: Machines) -> None:
    rules = [Odd(name="slow", does="sleep", seconds=0.1, timeout_s=0.75)]
    (result,) = asyncio.run(evaluated(folder, pair.address, rules))
    assert (result.status, result.message) == (Status.TIMEOUT, "stopped after 0.75 s of work")


def test_the_environment_names_the_scheduler(
    folder: Path, pair: Machines, asked: list[int], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("SPATIAL_DASK_SCHEDULER", pair.address)
    monkeypatch.setenv("SPATIAL_STORE", str(folder / "store"))
    pipeline = Pipeline.of([vector(folder)])
    asyncio.run(pipeline.audit(vector(folder), pipeline.stage(vector(folder))))
    assert asked == [0]


def test_nothing_blocks_the_loop(folder: Path, pair: Machines, asked: list[int]) -> None:
    pipeline, version = prepared(folder, vector(folder))
    data = pipeline.store.open(version)

    async def main() -> None:
        blockbuster = BlockBuster()
        blockbuster.activate()
        try:
            async with connected(pair.address, pipeline.store.root) as remote:
                await evaluate([ValidGeometry()], data, plan=Plan(piece_size=PIECE), remote=remote)
        finally:
            blockbuster.deactivate()

    asyncio.run(main())
    assert len(asked) == SIDE * SIDE // PIECE


def test_without_distributed_it_says_what_to_install(
    folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setitem(sys.modules, "distributed", None)
    with pytest.raises(ClusterError, match=r"pip install 'spatial_pipeline\[dask\]'"):
        asyncio.run(evaluated(folder, "tcp://127.0.0.1:9", [ValidGeometry()]))


def test_other_versions_on_a_worker_are_an_error(
    folder: Path, pair: Machines, monkeypatch: pytest.MonkeyPatch
) -> None:
    here = {**worker.versions(), "GEOS": "9.9.9"}
    monkeypatch.setattr(worker, "versions", lambda: here)
    (result,) = asyncio.run(evaluated(folder, pair.address, [ValidGeometry()]))
    assert result.status is Status.ERROR
    assert "instead of 9.9.9: install the same versions everywhere" in result.message


def test_a_store_that_a_worker_does_not_see_is_an_error(
    folder: Path, pair: Machines, monkeypatch: pytest.MonkeyPatch
) -> None:
    gone = folder / "store" / "gone.parquet"
    monkeypatch.setattr(StagedVector, "path", property(lambda _: gone))
    (result,) = asyncio.run(evaluated(folder, pair.address, [ValidGeometry()]))
    assert result.status is Status.ERROR
    assert "gone.parquet" in result.message
    assert "SPATIAL_STORE" in result.message


def test_a_cancelled_check_leaves_no_work_behind(folder: Path, pair: Machines) -> None:
    async def main() -> float:
        rules = [Odd(does="sleep", seconds=30.0)]
        task = asyncio.create_task(evaluated(folder, pair.address, rules))
        await asyncio.sleep(1.5)
        task.cancel()
        begun = time.perf_counter()
        with pytest.raises(asyncio.CancelledError):
            await task
        took = time.perf_counter() - begun
        async with Client(pair.address, asynchronous=True, set_as_default=False) as client:
            while any((await client.run(_executing)).values()):
                assert time.perf_counter() - begun < 20
                await asyncio.sleep(0.05)
        return took

    assert asyncio.run(main()) < 20
    assert [t.name for t in threading.enumerate() if t.name.startswith("spatial-")] == []
    results = asyncio.run(evaluated(folder, pair.address, [Odd(name="nothing")]))
    assert results[0].status is Status.PASSED


@pytest.mark.usefixtures("small")
def test_a_killed_worker_costs_a_retry_and_nothing_else(
    folder: Path, pair: Machines, asked: list[int]
) -> None:
    pipeline, version = prepared(folder, vector(folder))
    here = told(
        pipeline, version, asyncio.run(pipeline.audit(pipeline.contracts["sheet"], version))
    )

    def killing(done: int, _total: int) -> None:
        if done == 4 and len(pair.workers) == 2:
            pair.kill()

    elsewhere = replace(pipeline, dask_scheduler=pair.address)
    audit = asyncio.run(elsewhere.audit(vector(folder), version, progress=killing))
    assert len(pair.workers) == 1
    assert len(asked) == SIDE * SIDE // PIECE
    assert told(pipeline, version, audit) == here


def test_what_kills_workers_is_an_error(folder: Path, cluster: Machines) -> None:
    cluster.keep(1)

    async def main() -> list[Any]:
        async with Client(cluster.address, asynchronous=True, set_as_default=False) as client:
            before = await client.run_on_scheduler(_allow_failures, 0)
            try:
                rules = [Odd(name="deadly", does="die", home=os.getpid())]
                return await evaluated(folder, cluster.address, rules)
            finally:
                await client.run_on_scheduler(_allow_failures, before)

    (result,) = asyncio.run(main())
    assert result.status is Status.ERROR
    assert "workers that died while evaluating it: 1" in result.message


def test_a_lost_scheduler_is_an_error(
    folder: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("spatial_pipeline.distributed.client.CONNECT_S", 1.0)
    with machines(tmp_path, workers=1) as running:

        def losing(done: int, _total: int) -> None:
            if done == 2:
                running.scheduler.kill()

        rules = [Odd(does="sleep", seconds=0.1)]
        (result,) = asyncio.run(evaluated(folder, running.address, rules, progress=losing))
    assert result.status is Status.ERROR
    assert running.address in result.message


def test_an_address_where_nobody_answers_fails_closed(
    folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("spatial_pipeline.distributed.client.CONNECT_S", 0.3)
    pipeline, version = prepared(folder, vector(folder))
    elsewhere = replace(pipeline, dask_scheduler="tcp://127.0.0.1:9")
    with pytest.raises(ClusterError, match=r"tcp://127.0.0.1:9 .*unset the variable"):
        asyncio.run(elsewhere.audit(vector(folder), version))


@pytest.mark.parametrize(
    ("address", "mistake"),
    [
        ("tcp://localhost", "has no port: write tcp://localhost:8786"),
        ("machine", "has no port: write tcp://machine:8786"),
        ("tls://[::1]/", "has no port: write tls://[::1]:8786"),
        ("tcp://localhost:", "has no port"),
        ("tcp://localhost:dask", "'dask' is not a port"),
        ("tcp://localhost:99999", "'99999' is not a port"),
        ("http://localhost:8786", "http:// is not one of tcp://, tls://"),
        ("tcp://", "is not an address"),
        ("a b:c:1", "is not an address"),
    ],
)
def test_an_address_that_is_none_says_so_at_once(folder: Path, address: str, mistake: str) -> None:
    with pytest.raises(ClusterError) as failed:
        asyncio.run(evaluated(folder, address, [ValidGeometry()]))
    assert str(failed.value).startswith(f"SPATIAL_DASK_SCHEDULER={address}: {mistake}")


@pytest.mark.parametrize("address", ["tcp://h:1", "h:8786", "tls://[::1]:65535", "ws://h:1/"])
def test_addresses_of_schedulers(address: str) -> None:
    assert address_mistake(address) == ""


@pytest.fixture
def lacking(tmp_path: Path) -> dict[str, str]:
    """The environment of a worker on whose machine this package is not installed."""
    code = "import sys; sys.modules['spatial_pipeline'] = None"
    (tmp_path / "sitecustomize.py").write_text(code)
    return {"PYTHONPATH": str(tmp_path)}


def test_a_worker_that_lacks_the_package_says_so_at_once(
    folder: Path, cluster: Machines, lacking: dict[str, str]
) -> None:
    cluster.dismiss()
    cluster.hire(1, **lacking)
    try:
        # Nobody waits for another worker: that would take ten minutes.
        (result,) = asyncio.run(
            evaluated(folder, cluster.address, [ValidGeometry()], patience_s=600)
        )
        assert all(w.poll() is None for w in cluster.workers)
    finally:
        cluster.dismiss()
    assert result.status is Status.ERROR
    assert "cannot load spatial_pipeline: ModuleNotFoundError" in result.message
    assert "install the same versions on every worker" in result.message


def test_a_worker_that_lacks_the_package_may_come_later(
    folder: Path, pair: Machines, lacking: dict[str, str], monkeypatch: pytest.MonkeyPatch
) -> None:
    # The scheduler knows of the worker for seconds, and has tasks for it, before we do.
    monkeypatch.setattr(client_module, "LOOK_S", 5.0)

    async def main() -> list[Any]:
        # The pieces end only when the check does, so the worker comes while there is work for it.
        rules = [Odd(does="sleep", seconds=600.0, timeout_s=600.0)]
        checking = asyncio.create_task(evaluated(folder, pair.address, rules, patience_s=600))
        await busy(pair.address)
        await asyncio.to_thread(pair.hire, 1, **lacking)
        return await checking

    (result,) = asyncio.run(main())
    assert pair.workers[2].poll() is None, "it died of a task that it could not load"
    pair.kill(2)
    assert result.status is Status.ERROR
    assert "cannot load spatial_pipeline: ModuleNotFoundError" in result.message


def test_a_task_whose_workers_are_all_gone_goes_to_those_that_came_later(
    folder: Path, cluster: Machines, asked: list[int]
) -> None:
    cluster.keep(1)

    async def main() -> list[Any]:
        rules = [Odd(does="sleep", seconds=0.5, timeout_s=600.0)]
        checking = asyncio.create_task(evaluated(folder, cluster.address, rules, patience_s=600))
        await busy(cluster.address)
        await asyncio.to_thread(cluster.kill)
        await asyncio.to_thread(cluster.hire, 1)
        return await checking

    (result,) = asyncio.run(main())
    assert result.status is Status.PASSED, result.message
    assert len(asked) == SIDE * SIDE // PIECE


def test_tracebacks_of_the_library_are_kept_out_of_its_log(
    folder: Path, pair: Machines, caplog: pytest.LogCaptureFixture
) -> None:
    library = logging.getLogger("distributed.utils")

    async def main() -> None:
        async with connected(pair.address, folder):
            library.error("inside", exc_info=ValueError("a"))
            library.warning("said")

    asyncio.run(main())
    library.error("outside", exc_info=ValueError("a"))
    told = [r.getMessage() for r in caplog.records if r.name == library.name]
    assert told == ["said", "outside"]


def _allow_failures(allowed: int, dask_scheduler: Any) -> int:
    before: int = dask_scheduler.allowed_failures
    dask_scheduler.allowed_failures = allowed
    return before
