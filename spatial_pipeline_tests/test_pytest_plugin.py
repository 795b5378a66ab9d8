"""The three failure modes: red in their naive form, green with the plugin or the runtime."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path
from xml.etree import ElementTree as ET

import pytest

HEAD = """
import asyncio, time
import asyncpg, pytest, pytest_asyncio, shapely
import numpy as np
from spatial_pipeline.runtime.event_loop import run_sync

async def one(): return 1
POLYGONS = shapely.buffer(shapely.points(np.arange(20000.0), 0.0), 1.0, quad_segs=64)
"""
CASES = {
    "nested loop": (
        """
@pytest.mark.asyncio
async def test_cell():
    work = one()
    try:
        assert asyncio.run(work) == 1
    finally:
        work.close()
""",
        "cannot be called from a running event loop",
        """
@pytest.mark.asyncio
async def test_cell():
    assert run_sync(one()) == 1
""",
    ),
    "blocked loop": (
        """
@pytest.mark.spatial_async(block=0.3)
async def test_valid():
    await asyncio.sleep(0)
    time.sleep(1.0)
""",
        "time.sleep(1.0)",
        """
@pytest.mark.spatial_async(block=0.3)
async def test_valid(offload):
    assert (await offload(shapely.is_valid, POLYGONS, chunk=1000)).all()
""",
    ),
    "starved heartbeat": (
        """
@pytest.mark.asyncio
async def test_beats():
    beats = 0
    async def beat():
        nonlocal beats
        while True:
            await asyncio.sleep(0.005)
            beats += 1
    task = asyncio.create_task(beat())
    await asyncio.sleep(0)
    for _ in range(5):
        shapely.is_valid(POLYGONS)
    task.cancel()
    assert beats >= 3, f"starved: {beats}"
""",
        "starved: 0",
        """
@pytest.mark.spatial_async(block=3)
async def test_beats(offload):
    beats = 0
    async def beat():
        nonlocal beats
        while True:
            await asyncio.sleep(0.005)
            beats += 1
    task = asyncio.create_task(beat())
    for _ in range(5):
        await offload(shapely.is_valid, POLYGONS, chunk=1000)
    task.cancel()
    assert beats >= 3, f"starved: {beats}"
""",
    ),
    "time-out": (
        """
@pytest.mark.spatial_async(timeout=0.1)
async def test_slow():
    await asyncio.sleep(5)
""",
        "the test took longer than its 0.1 s",
        """
@pytest.mark.spatial_async(timeout=30, block=3)
async def test_slow():
    await asyncio.sleep(0.1)
""",
    ),
    "rules": (
        """
def test_rules(check_rules):
    import geopandas
    bow = shapely.from_wkt("POLYGON ((0 0, 1 1, 1 0, 0 1, 0 0))")
    check_rules(geopandas.GeoDataFrame({"id": [7]}, geometry=[bow], crs=32633),
                ["valid_geometry"], key=["id"])
""",
        "[7] Self-intersection",
        """
@pytest.mark.spatial_async(block=3)
async def test_rules(check_rules_async, tmp_path):
    import geopandas
    frame = geopandas.GeoDataFrame({"id": [7]}, geometry=[shapely.box(0, 0, 1, 1)], crs=32633)
    await check_rules_async(frame, ["valid_geometry", {"rule": "crs", "equals": "EPSG:32633"}])
""",
    ),
    "attached to a different loop": (
        """
@pytest_asyncio.fixture(scope="session", loop_scope="session")
async def pool(spatial_dsn):
    async with asyncpg.create_pool(spatial_dsn, min_size=1, max_size=1) as made:
        yield made

@pytest.mark.asyncio
async def test_select(pool):
    assert await pool.fetchval("SELECT 1") == 1
""",
        "attached to a different loop",
        """
@pytest.mark.spatial_async(block=3)
async def test_select(spatial_pool, spatial_schema):
    assert await spatial_pool.fetchval("SELECT current_schema()") == spatial_schema
""",
    ),
    "exhausted pool": (
        """
async def use(dsn, kept):
    pool = await asyncpg.create_pool(dsn, min_size=1, max_size=1)
    kept.append(pool)
    return await pool.fetchval("SELECT 1")

def test_200_runs(spatial_dsn):
    kept = []
    for _ in range(200):
        asyncio.run(use(spatial_dsn, kept))
""",
        "TooManyConnectionsError",
        """
async def use(dsn):
    async with asyncpg.create_pool(dsn, min_size=1, max_size=1) as pool:
        return await pool.fetchval("SELECT 1")

def test_200_runs(spatial_dsn):
    assert sum(run_sync(use(spatial_dsn)) for _ in range(200)) == 200
""",
    ),
}
NAIVE, OURS = 0, 2
CONFIG = "[pytest]\nasyncio_mode = strict\naddopts = --strict-markers -p no:cacheprovider\n"


def outcomes(folder: Path, form: int) -> tuple[dict[str, str | None], str]:
    """Case → what pytest says of its test, None of one that passes; and all that pytest says.

    All cases are files of one session, the one that leaves connections open is the last.
    """
    (folder / "pytest.ini").write_text(CONFIG, encoding="utf-8")
    names = {f"test_{i:02}": case for i, case in enumerate(CASES)}
    for name, case in names.items():
        (folder / f"{name}.py").write_text(HEAD + CASES[case][form], encoding="utf-8")
    report = folder / "report.xml"
    done = subprocess.run(
        [sys.executable, "-m", "pytest", "-p", "spatial_pipeline.pytest_plugin", "-q",
         f"--junitxml={report}", folder],
        capture_output=True, text=True, check=False, timeout=240, cwd=folder,
        env=os.environ | {"PYTHONPATH": str(Path(__file__).parents[1])},
    )  # fmt: skip
    everything = done.stdout + done.stderr
    assert done.returncode == (1 if form == NAIVE else 0), everything
    said: dict[str, str | None] = {}
    for test in ET.parse(report).iter("testcase"):
        told = [f"{e.get('message')}\n{e.text}" for e in test if e.tag in {"failure", "error"}]
        said[names[test.attrib["classname"]]] = "\n".join(told) or None
    return said, everything


@pytest.fixture(scope="module")
def naive(tmp_path_factory: pytest.TempPathFactory) -> tuple[dict[str, str | None], str]:
    return outcomes(tmp_path_factory.mktemp("naive"), NAIVE)


@pytest.fixture(scope="module")
def ours(tmp_path_factory: pytest.TempPathFactory) -> tuple[dict[str, str | None], str]:
    return outcomes(tmp_path_factory.mktemp("ours"), OURS)


@pytest.mark.parametrize("case", CASES)
def test_the_naive_form_is_red(case: str, naive: tuple[dict[str, str | None], str]) -> None:
    said, everything = naive
    assert CASES[case][1] in (said[case] or ""), everything


@pytest.mark.parametrize("case", CASES)
def test_ours_is_green(case: str, ours: tuple[dict[str, str | None], str]) -> None:
    said, everything = ours
    assert said[case] is None, everything


WORKER = """
import json, os, pathlib, pytest

@pytest.mark.spatial_async(block=5)
async def test_settings(spatial_pool, spatial_schema, spatial_worker, spatial_postgis):
    assert await spatial_pool.fetchval("SELECT current_schema()") == spatial_schema
    names = ("GDAL_CACHEMAX", "SPATIAL_STORE", "CPL_TMPDIR", "PROJ_USER_WRITABLE_DIRECTORY")
    found = {n: os.environ.get(n) for n in names}
    found |= {"schema": spatial_schema, "worker": spatial_worker, "port": spatial_postgis.port}
    pathlib.Path(OUT, f"{spatial_worker}.json").write_text(json.dumps(found))
"""


@pytest.mark.parametrize("workers", [0, 2])
def test_every_worker_has_settings_of_its_own(workers: int, tmp_path: Path) -> None:
    (tmp_path / "pytest.ini").write_text(CONFIG, encoding="utf-8")
    for name in ("a", "b"):
        code = WORKER.replace("OUT", repr(str(tmp_path)))
        (tmp_path / f"test_{name}.py").write_text(code, encoding="utf-8")
    # This suite may run in a worker itself.
    ours = ("PYTEST_", "GDAL_", "CPL_", "PROJ_", "SPATIAL_")
    environment = {n: v for n, v in os.environ.items() if not n.startswith(ours)}
    done = subprocess.run(
        [sys.executable, "-m", "pytest", "-p", "spatial_pipeline.pytest_plugin", "-q",
         *(("-n", str(workers), "--dist=loadfile") if workers else ()), tmp_path],
        capture_output=True, text=True, check=False, timeout=120, cwd=tmp_path,
        env=environment | {"PYTHONPATH": str(Path(__file__).parents[1])},
    )  # fmt: skip
    assert done.returncode == 0, done.stdout + done.stderr
    found = {f.stem: json.loads(f.read_text()) for f in tmp_path.glob("*.json")}
    if not workers:
        (alone,) = found.values()
        assert (alone["worker"], alone["GDAL_CACHEMAX"], alone["SPATIAL_STORE"]) == (
            "main", None, None,
        )  # fmt: skip
        return
    one, two = found["gw0"], found["gw1"]
    assert one["GDAL_CACHEMAX"] == two["GDAL_CACHEMAX"] == "64"
    for name in one.keys() - {"GDAL_CACHEMAX"}:
        assert one[name] != two[name], name
    for left in (one["CPL_TMPDIR"], two["CPL_TMPDIR"]):
        assert not Path(left).exists()


def test_loading_the_plugin_imports_nothing_geospatial() -> None:
    code = (
        "import sys, spatial_pipeline.pytest_plugin; print(sorted({m.split('.')[0] for m in"
        " sys.modules} & {'shapely','geopandas','rasterio','pyproj','pyogrio','pyarrow','numpy',"
        "'asyncpg','dagster'}))"
    )
    done = subprocess.run(
        [sys.executable, "-c", code], capture_output=True, text=True, check=True, timeout=60
    )
    assert done.stdout.strip() == "[]"
