"""The downstream project of docs/reading.md, as it is printed: it halts in four ways."""

from __future__ import annotations

import logging
import re
import sys
from collections.abc import Iterator
from importlib import import_module
from pathlib import Path

import dagster as dg
import geopandas
import pytest
import shapely
from dagster._core.execution.backfill import BulkActionStatus, PartitionBackfill
from dagster._core.remote_origin import InProcessCodeLocationOrigin
from dagster._core.test_utils import create_test_daemon_workspace_context, instance_for_test
from dagster._core.types.loadable_target_origin import LoadableTargetOrigin
from dagster._core.workspace.load_target import InProcessWorkspaceLoadTarget
from dagster._daemon.backfill import execute_backfill_iteration

from spatial_pipeline_tests.orchestration.daemons import SYNCHRONOUS
from spatial_pipeline_tests.pages import Command, snippets

PAGE = "docs/reading.md"
MODULE = "roads_project.definitions"
DATASET = 'key:"roads/staged" or key:"roads/published"'
DOWNSTREAM = 'key:"road_length" or key:"current_length" or key:"tiles"'
OWN = ("road_length", "current_length", "tiles", "total_length")
SWIFT = """
import dagster as dg

from roads_project.definitions import defs as of_the_page

swift = dg.Definitions(executor=dg.in_process_executor)
defs = dg.Definitions.merge(swift, of_the_page())
"""
"""The code location of the page, loaded once, and without a process for each step."""
logger = logging.getLogger("test")


def deliver(folder: Path, part: str, length: float) -> None:
    """One road of a length, in the folder of the contract."""
    lines = shapely.linestrings([[[0, 0], [length, 0]]])
    frame = geopandas.GeoDataFrame({"road_id": [1]}, geometry=lines, crs="EPSG:25832")
    path = folder / f"roads_project/defs/roads/{part}.gpkg"
    path.unlink(missing_ok=True)
    frame.to_file(path)


class Project:
    """The files of the page, loaded, and an instance."""

    def __init__(self, folder: Path, instance: dg.DagsterInstance) -> None:
        self.folder = folder
        self.instance = instance
        for snippet in snippets(PAGE):
            if snippet.file is not None:
                path = folder / snippet.file
                path.parent.mkdir(parents=True, exist_ok=True)
                path.write_text(snippet.text, encoding="utf-8")
        for part, length in (("north", 10), ("south", 20)):
            deliver(folder, part, length)
        (folder / "roads_project/swift.py").write_text(SWIFT)
        self.definitions: dg.Definitions = import_module("roads_project.swift").defs
        self.condition = None

    def run(self, select: str, partition: str | None = None) -> dg.ExecuteInProcessResult:
        """``dagster asset materialize``, in this process."""
        graph = self.definitions.resolve_asset_graph()
        keys = dg.AssetSelection.from_string(select).resolve(graph)
        job = self.definitions.resolve_implicit_global_asset_job_def()
        return job.get_subset(asset_selection=keys).execute_in_process(
            instance=self.instance, partition_key=partition, raise_on_error=False
        )

    def computed(self) -> dict[str, int]:
        """How often each of the user's own assets was materialized."""
        events = {
            name: self.instance.fetch_materializations(dg.AssetKey(name), limit=99).records
            for name in OWN
        }
        return {name: len(records) for name, records in events.items()}

    def requested(self) -> int:
        """What automation asks for, of the user's own assets."""
        result = dg.evaluate_automation_conditions(
            self.definitions,
            self.instance,
            dg.AssetSelection.assets(*OWN),
            cursor=self.condition,
        )
        self.condition = result.cursor
        return result.total_requested


@pytest.fixture
def project(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Project]:
    monkeypatch.chdir(tmp_path)
    monkeypatch.syspath_prepend(str(tmp_path))
    monkeypatch.setenv("PYTHONPATH", f"{tmp_path}:{Path(__file__).parents[1]}")
    monkeypatch.setenv("SPATIAL_STORE", str(tmp_path / "store"))
    with instance_for_test(overrides=dict(SYNCHRONOUS)) as instance:
        yield Project(tmp_path, instance)
    for name in [n for n in sys.modules if n.split(".")[0] == "roads_project"]:
        del sys.modules[name]


def said(result: dg.ExecuteInProcessResult) -> str:
    """How a run ended, as the command prints it."""
    if result.success:
        return "RUN_SUCCESS"
    failures = [e.step_failure_data for e in result.get_step_failure_events()]
    texts = [
        f"{f.user_failure_data and f.user_failure_data.description} {f.error}" for f in failures
    ]
    return " ".join(" ".join(texts).split())


def backfill(project: Project, *names: str) -> PartitionBackfill:
    """A backfill of all partitions of assets, by Dagster's own daemon, until it has ended."""
    # A location in this process saves a server.
    loaded = LoadableTargetOrigin(
        executable_path=sys.executable, module_name="roads_project.swift", attribute="defs",
        working_directory=str(project.folder),
    )  # fmt: skip
    target = InProcessWorkspaceLoadTarget(InProcessCodeLocationOrigin(loaded))
    with create_test_daemon_workspace_context(target, project.instance) as workspace:
        graph = workspace.create_request_context().asset_graph
        made = PartitionBackfill.from_asset_partitions(
            backfill_id="all", asset_graph=graph, partition_names=["north", "south"],
            asset_selection=[dg.AssetKey(n) for n in names], tags={},
            dynamic_partitions_store=project.instance, backfill_timestamp=0.0,
            all_partitions=False, title=None, description=None, run_config=None,
        )  # fmt: skip
        project.instance.add_backfill(made)
        for _ in range(9):
            assert not [e for e in execute_backfill_iteration(workspace, logger) if e is not None]
            found = project.instance.get_backfill("all")
            assert found is not None
            if found.status not in {BulkActionStatus.REQUESTED, BulkActionStatus.FAILING}:
                return found
    raise AssertionError(found.status)


@pytest.mark.timeout(300)
def test_the_project_halts_in_four_ways(project: Project) -> None:
    for part in ("north", "south"):
        assert project.run(f"{DATASET} or {DOWNSTREAM}", part).success
    assert project.run('key:"total_length"').success
    before = project.computed()
    assert before == {"road_length": 2, "current_length": 2, "tiles": 2, "total_length": 1}
    project.requested()
    deliver(project.folder, "south", 0)

    # In the same run, and alone.
    for snippet in snippets(PAGE, "console"):
        for typed, expected in snippet.commands():
            words = Command.of(typed).words
            options = dict(zip(words[3::2], words[4::2], strict=True))
            assert options["-m"] == MODULE
            result = project.run(options["--select"], options.get("--partition"))
            assert expected.strip() in said(result), (typed, said(result))
            if "roads/staged" in options["--select"]:
                assert project.computed() == before
    alone = project.computed()
    assert alone == {"road_length": 3, "current_length": 2, "tiles": 3, "total_length": 2}

    # In a backfill: last good versions of both partitions, the newest delivery of one.
    ended = backfill(project, "road_length", "current_length", "tiles")
    assert ended.status is not BulkActionStatus.COMPLETED_SUCCESS
    after = project.computed()
    assert after == {"road_length": 5, "current_length": 3, "tiles": 4, "total_length": 2}

    # By automation: nothing until the next publication.
    assert project.requested() == 0
    deliver(project.folder, "south", 30)
    assert project.run(DATASET, "south").success
    assert project.requested() == 3
    assert re.search("RUN_SUCCESS", said(project.run('key:"current_length"', "south")))
