"""What people wait for: commands, a code location of 100 contracts, and small runs through Dagster.

    python benchmarks/startup.py --repeat 5

Commands and the code location are told in seconds of processor time, their child processes
included, since that does not depend on what else the machine does. Runs are told in seconds from
launch to the last event: a code server on this machine starts a worker for each, with the
``dagster.yaml`` of this repository. The queue is left out: Dagster's daemon looks at it at
intervals. All figures are medians.
"""

from __future__ import annotations

import argparse
import json
import os
import shutil
import statistics
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import geopandas
import shapely

ROOT = Path(__file__).parents[1]
ROADS = 955
CONTRACT = """
type: spatial_pipeline.VectorDataset
attributes:
  name: {name}
  source: {{uri: {folder}/roads.gpkg, layer: roads}}
  key: [road_id]
  watch: true
  schedule: "0 3 * * *"
  rules:
    - {{rule: crs, equals: "EPSG:25832"}}
    - {{rule: geometry_type, any_of: [LineString]}}
    - {{rule: feature_count, min: 1}}
    - {{rule: unique, columns: [road_id]}}
    - {{rule: not_null, columns: [road_id, class]}}
    - {{rule: value_range, column: lanes, min: 1, max: 8}}
    - {{rule: not_empty}}
    - {{rule: valid_geometry}}
    - {{rule: finite_coordinates}}
    - {{rule: no_duplicate_geometries}}
    - {{rule: must_not_self_intersect}}
    - {{rule: min_length, value: 1}}
"""
LOCATION = """
from pathlib import Path

import dagster as dg

from spatial_pipeline import load_from_defs_folder
from spatial_pipeline.orchestration.executor import EXECUTOR


@dg.definitions
def defs():
    loaded = load_from_defs_folder(path_within_project=Path(__file__).parent)
    return dg.Definitions.merge(loaded, dg.Definitions(executor=EXECUTOR))
"""
LOAD = """
import time
begun = time.process_time()
from dagster import DagsterInstance
from roads_project.definitions import defs
from dagster._core.remote_representation.external_data import RepositorySnap
repository = defs().get_repository_def()
RepositorySnap.from_def(repository, defer_snapshots=True)
"""
"""What a code server does when it starts: definitions, and their description for the UI."""


def main() -> None:
    """Prints the medians and one JSON object."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--repeat", type=int, default=5)
    parser.add_argument("--contracts", type=int, default=100)
    parser.add_argument("--only", nargs="*", default=["commands", "location", "runs"])
    arguments = parser.parse_args()
    figures: dict[str, Any] = {}
    with TemporaryDirectory() as name:
        folder = Path(name)
        write_roads(folder / "roads.gpkg")
        if "commands" in arguments.only:
            figures |= commands(folder, arguments.repeat)
        if "location" in arguments.only:
            figures |= location(folder, arguments.contracts, arguments.repeat)
        if "runs" in arguments.only:
            figures |= runs(folder, arguments.repeat)
    for label, value in figures.items():
        sys.stdout.write(f"{label:<60}{value:>8.2f}\n")
    sys.stdout.write(json.dumps(figures) + "\n")


def write_roads(path: Path) -> None:
    """A street grid as a GeoPackage."""
    lines = [
        shapely.LineString(
            [(x * 100, y * 100), (x * 100 + 50, y * 100 + 3), (x * 100 + 100, y * 100)]
        )
        for y in range(32)
        for x in range(30)
    ][:ROADS]
    columns = {
        "road_id": range(ROADS),
        "class": [f"class {i % 5}" for i in range(ROADS)],
        "lanes": [1 + i % 4 for i in range(ROADS)],
    }
    frame = geopandas.GeoDataFrame(columns, geometry=lines, crs="EPSG:25832")
    frame.to_file(path, layer="roads")


def commands(folder: Path, repeat: int) -> dict[str, float]:
    """Processor seconds of commands, each with a store of its own."""
    contract = folder / "roads.yaml"
    contract.write_text(CONTRACT.format(name="roads", folder=folder), encoding="utf-8")
    calls = {
        "--help": ["--help"],
        "rules": ["rules"],
        f"check of {ROADS} roads": ["check", contract],
    }
    start = "from spatial_pipeline.cli import main; main()"
    return {
        f"spatial-pipeline {label}, processor seconds": median(
            repeat, lambda call=call: processor_seconds(folder, ["-c", start, *map(str, call)])[0]
        )
        for label, call in calls.items()
    }


def location(folder: Path, count: int, repeat: int) -> dict[str, float]:
    """Processor seconds and memory of a code location."""
    with project(folder, count) as (place, environment):
        taken = [processor_seconds(place, ["-c", LOAD], environment) for _ in range(repeat)]
        bare = [
            processor_seconds(place, ["-c", "import dagster"], environment) for _ in range(repeat)
        ]
    seconds, mebibytes = (statistics.median(t[i] for t in taken) for i in (0, 1))
    own, used = (statistics.median(t[i] for t in bare) for i in (0, 1))
    return {
        f"code location of {count} contracts, processor seconds": seconds,
        "of these for import dagster": own,
        f"code location of {count} contracts, MiB": mebibytes,
        "of these for import dagster, MiB": used,
    }


def runs(folder: Path, repeat: int) -> dict[str, float]:
    """Seconds of runs from launch to publication, and of a tick of a sensor."""
    with project(folder, 10) as (place, environment):
        done = subprocess.run(
            [sys.executable, __file__, "--inside", str(place), str(repeat)],
            env=environment, cwd=place, stdout=subprocess.PIPE, text=True, check=True,
        )  # fmt: skip
    # The code server writes to the same stream.
    answers = [line for line in done.stdout.splitlines() if line.startswith("{")]
    found: dict[str, float] = json.loads(answers[-1])
    return found


def inside(place: Path, repeat: int) -> None:
    """Launches runs in this process's instance; prints one JSON object."""
    import dagster as dg
    from dagster._core.workspace.context import WorkspaceProcessContext
    from dagster._core.workspace.load_target import PythonFileTarget

    target = PythonFileTarget(
        str(place / "roads_project" / "definitions.py"), None, str(place), "roads"
    )
    with (
        dg.DagsterInstance.get() as instance,
        WorkspaceProcessContext(instance, target) as workspace,
    ):
        context = workspace.create_request_context()
        (served,) = context.code_locations
        (repository,) = served.get_repositories().values()
        one = median(repeat, lambda: launched(instance, workspace, repository, 1))
        ten = median(max(1, repeat // 2), lambda: launched(instance, workspace, repository, 10))
        ticks = [tick(instance, served, repository) for _ in range(repeat + 1)][1:]
    sys.stdout.write(
        json.dumps(
            {
                "run of one small dataset, seconds from launch": one,
                "run of ten small datasets, seconds from launch": ten,
                "tick of a sensor of sources, seconds": statistics.median(ticks),
            }
        )
        + "\n"
    )


def launched(instance: Any, workspace: Any, repository: Any, datasets: int) -> float:
    """Seconds of one run of some datasets, its store empty before."""
    import dagster as dg

    shutil.rmtree(os.environ["SPATIAL_STORE"], ignore_errors=True)
    keys = [
        dg.AssetKey([f"roads_{i}", part])
        for i in range(datasets)
        for part in ("staged", "published")
    ]
    context = workspace.create_request_context()
    (served,) = context.code_locations
    from dagster._core.remote_representation.code_location import CodeLocation
    from dagster._core.remote_representation.external import JobSubsetSelector

    assert isinstance(served, CodeLocation)
    selector = JobSubsetSelector(
        location_name=served.name,
        repository_name=repository.name,
        job_name="__ASSET_JOB",
        op_selection=None,
        asset_selection=set(keys),
    )
    job = served.get_job(selector)
    plan = served.get_execution_plan(job, {}, step_keys_to_execute=None, known_state=None)
    run = instance.create_run(
        job_name="__ASSET_JOB",
        run_id=None,
        run_config={},
        resolved_op_selection=None,
        step_keys_to_execute=None,
        status=dg.DagsterRunStatus.NOT_STARTED,
        tags={},
        root_run_id=None,
        parent_run_id=None,
        job_snapshot=job.job_snapshot,
        execution_plan_snapshot=plan.execution_plan_snapshot,
        parent_job_snapshot=job.parent_job_snapshot,
        remote_job_origin=job.get_remote_origin(),
        job_code_origin=job.get_python_origin(),
        asset_selection=frozenset(keys),
        asset_check_selection=None,
        op_selection=None,
        asset_graph=repository.asset_graph,
    )
    begun = time.perf_counter()
    instance.launch_run(run.run_id, context)
    while not (state := instance.get_run_by_id(run.run_id)).is_finished:
        time.sleep(0.02)
    elapsed = time.perf_counter() - begun
    if not state.is_success:
        sys.exit(f"the run ended as {state.status}")
    return elapsed


def tick(instance: Any, served: Any, repository: Any) -> float:
    """Seconds of an evaluation of a sensor in the code server."""
    begun = time.perf_counter()
    served.get_sensor_execution_data(
        instance, repository.handle, "roads_0_source_sensor", None, None, None, None, None
    )
    return time.perf_counter() - begun


@contextmanager
def project(folder: Path, count: int) -> Iterator[tuple[Path, dict[str, str]]]:
    """A project of contracts in folders, and the environment of its processes."""
    place = folder / f"project{count}"
    package = place / "roads_project"
    home = place / "home"
    home.mkdir(parents=True)
    shutil.copy(ROOT / "dagster.yaml", home)
    for number in range(count):
        below = package / "defs" / f"roads_{number}"
        below.mkdir(parents=True)
        text = CONTRACT.format(name=f"roads_{number}", folder=folder)
        (below / "defs.yaml").write_text(text, encoding="utf-8")
    (package / "definitions.py").write_text(LOCATION, encoding="utf-8")
    (package / "__init__.py").touch()
    (place / "pyproject.toml").write_text(
        '[project]\nname = "roads_project"\n[tool.dg]\ndirectory_type = "project"\n'
        '[tool.dg.project]\nroot_module = "roads_project"\ncode_location_name = "roads"\n',
        encoding="utf-8",
    )
    paths = [str(ROOT), str(place)]
    environment = {
        **os.environ,
        "DAGSTER_HOME": str(home),
        "SPATIAL_STORE": str(place / "store"),
        "PYTHONPATH": os.pathsep.join(paths),
    }
    yield place, environment
    shutil.rmtree(place)


def processor_seconds(
    folder: Path, arguments: list[str], environment: dict[str, str] | None = None
) -> tuple[float, float]:
    """Processor seconds of a process with its children, and its largest MiB; ends on failure."""
    store = folder / "store"
    shutil.rmtree(store, ignore_errors=True)
    paths = os.pathsep.join(filter(None, (str(ROOT), os.environ.get("PYTHONPATH"))))
    own = {**os.environ, "SPATIAL_STORE": str(store), "PYTHONPATH": paths}
    process = subprocess.Popen(
        [sys.executable, *arguments], env=environment or own, cwd=folder,
        stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL,
    )  # fmt: skip
    _, status, used = os.wait4(process.pid, 0)
    process.returncode = os.waitstatus_to_exitcode(status)
    if process.returncode:
        sys.exit(f"{arguments} ended with {process.returncode}")
    return used.ru_utime + used.ru_stime, used.ru_maxrss / 1024


def median(repeat: int, measured: Callable[[], float]) -> float:
    """Median of some measurements."""
    return statistics.median(measured() for _ in range(repeat))


if __name__ == "__main__":
    if sys.argv[1:2] == ["--inside"]:
        inside(Path(sys.argv[2]), int(sys.argv[3]))
    else:
        main()
