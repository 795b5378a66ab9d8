"""What a process of this code location loads before it works, and how its steps start."""

from __future__ import annotations

import json
import subprocess
import sys

from spatial_pipeline.orchestration.executor import EXECUTOR, PRELOADED

HEAVY = {
    "asyncpg", "duckdb", "geopandas", "jinja2.environment", "matplotlib", "pandas", "pyarrow",
    "pyogrio", "rasterio", "spatial_pipeline.check", "spatial_pipeline.ingest.stage",
    "spatial_pipeline.store",
}  # fmt: skip
NEEDED = {"dagster", "shapely", "pyarrow.parquet", "rasterio", "pyogrio", "duckdb",
          "spatial_pipeline.check.engine.engine",
          "spatial_pipeline.check.rules.topology.must_not_overlap",
          "spatial_pipeline.ingest.stage", "spatial_pipeline.store.versions"}  # fmt: skip


def told(program: str) -> dict[str, object]:
    """What a fresh interpreter prints as JSON at its end."""
    script = f"import json, sys, threading\n{program}"
    done = subprocess.run(
        [sys.executable, "-c", script], capture_output=True, text=True, check=True, timeout=250
    )
    return json.loads(done.stdout.splitlines()[-1])


def test_a_code_server_loads_no_geospatial_library() -> None:
    loaded = told(
        "from spatial_pipeline.definitions import defs\n"
        "keys = len(list(defs().resolve_asset_graph().asset_check_keys))\n"
        "print(json.dumps({'modules': sorted(sys.modules), 'checks': keys}))"
    )
    assert loaded["checks"] > 50  # type: ignore[operator]
    assert not HEAVY & set(loaded["modules"])  # type: ignore[call-overload]


def test_steps_are_forked_from_a_process_that_has_everything_and_runs_nothing() -> None:
    loaded = told(
        "import dagster._core.executor.multiprocess\n"
        f"import {PRELOADED} as preloaded\n"
        "import asyncio, gc\n"
        "running = [t.name for t in threading.enumerate() if t is not threading.main_thread()]\n"
        "loop = asyncio._get_running_loop()\n"
        "from spatial_pipeline.ingest.cage.client import SERVER\n"
        "print(json.dumps({'modules': sorted(sys.modules), 'threads': running,"
        " 'loop': loop is not None, 'gc': gc.isenabled(), 'frozen': gc.get_freeze_count(),"
        " 'reader': SERVER._process.poll() is None, 'storages': preloaded.STORAGES}))"
    )
    assert set(loaded["modules"]) >= {*NEEDED, *loaded["storages"]}  # type: ignore[call-overload,misc]
    assert "dagster_postgres" in loaded["storages"]  # type: ignore[operator]
    assert loaded["gc"] is True
    assert loaded["reader"] is True
    assert loaded["frozen"] > 100_000  # type: ignore[operator]
    assert loaded["threads"] == []
    assert loaded["loop"] is False


def test_the_code_location_uses_it() -> None:
    from spatial_pipeline.definitions import defs

    assert defs().executor is EXECUTOR
