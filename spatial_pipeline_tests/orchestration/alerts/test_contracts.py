"""A typo in a contract of a running code location: an incident and a failed check, not a gap."""

from __future__ import annotations

from pathlib import Path

import dagster as dg
import pytest
from dagster._core.storage.asset_check_execution_record import AssetCheckExecutionRecordStatus
from dagster._core.test_utils import create_test_daemon_workspace_context, instance_for_test
from dagster._core.workspace.load_target import PythonFileTarget

from spatial_pipeline.orchestration.keys import published_key, staged_key
from spatial_pipeline_tests.alert.receivers import web
from spatial_pipeline_tests.orchestration.alert_daemon import Daemon
from spatial_pipeline_tests.orchestration.daemons import SYNCHRONOUS
from spatial_pipeline_tests.orchestration.projects import GOOD, write_points

PROJECT = """
[tool.dg]
directory_type = "project"
[tool.dg.project]
root_module = "typo_project"
code_location_target_module = "typo_project.definitions"
"""
LOCATION = """
from pathlib import Path

import dagster as dg
from spatial_pipeline import load_from_defs_folder

@dg.definitions
def defs():
    return load_from_defs_folder(path_within_project=Path(__file__).parent / "typo_project")
"""
CONTRACT = """
type: spatial_pipeline.VectorDataset
attributes:
  name: {name}
  source: {{uri: points.geojson}}
  rules: [{{{key}: not_empty}}]
"""
OPERATIONS = """
type: spatial_pipeline.Operations
attributes:
  {key}: {{interval_s: 30}}
"""


class Location:
    """A project whose files change between two loads of its code location."""

    def __init__(self, folder: Path, instance: dg.DagsterInstance) -> None:
        self.folder = folder
        self.instance = instance
        self.now: Daemon | None = None
        (folder / "pyproject.toml").write_text(PROJECT)
        (folder / "typo_project" / "defs").mkdir(parents=True)
        for package in ("typo_project", "typo_project/defs"):
            (folder / package / "__init__.py").touch()

    def write(self, name: str, text: str) -> None:
        place = self.folder / "typo_project" / "defs" / name
        place.mkdir(exist_ok=True)
        write_points(place / "points.geojson", GOOD)
        (place / "defs.yaml").write_text(text)

    def tick(self) -> None:
        """Loads the location as its files are now, and lets the alerts tick once."""
        file = self.folder / "location.py"
        file.write_text(LOCATION)
        target = PythonFileTarget(
            python_file=str(file),
            attribute="defs",
            working_directory=str(self.folder),
            location_name="typos",
        )
        with create_test_daemon_workspace_context(target, self.instance) as workspace:
            daemon = Daemon(workspace, self.instance)
            if self.now is not None:
                daemon.now = self.now.now
            assert daemon.tick().error is None
            self.now = daemon

    def check(self, key: dg.AssetKey) -> AssetCheckExecutionRecordStatus | None:
        check = dg.AssetCheckKey(key, "contract")
        found = self.instance.event_log_storage.get_latest_asset_check_execution_by_key([check])
        return found[check].status if check in found else None


def test_a_typo_is_told_and_shown_and_its_mending_too(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("SPATIAL_STORE", str(tmp_path / "store"))
    monkeypatch.setenv("PYTHONPATH", f"{tmp_path}:{Path.cwd()}")
    with web() as hook, instance_for_test(overrides=SYNCHRONOUS) as instance:
        monkeypatch.setenv("SPATIAL_ALERT_URLS", f"hook={hook.url}")
        location = Location(tmp_path, instance)
        location.write("good", CONTRACT.format(name="good", key="rule"))
        location.write("bad", CONTRACT.format(name="bad", key="rule"))
        location.write("ugly", CONTRACT.format(name="ugly", key="rule"))
        location.write("operations", OPERATIONS.format(key="alerts"))
        location.tick()
        assert hook.told == []

        location.write("bad", CONTRACT.format(name="bad", key="rul"))
        # Dagster itself stops at this one.
        unreadable = CONTRACT.format(name="ugly", key="rule").replace("rules: [", "rules: ")
        location.write("ugly", unreadable)
        location.tick()
        assert hook.told == [("opened", name, None, "contract") for name in ("bad", "ugly")]
        assert "not YAML" in hook.received[1]["alerts"][0]["summary"]
        (told,) = hook.received[0]["alerts"]
        assert told["severity"] == "error"
        assert "bad/defs.yaml:6" in told["summary"]
        assert "'rul'" in told["summary"]
        failed = AssetCheckExecutionRecordStatus.FAILED
        assert location.check(staged_key("bad")) is failed
        assert location.check(published_key("bad")) is failed
        assert location.check(staged_key("ugly")) is failed
        assert location.check(staged_key("good")) is None

        # The same mistake is neither told nor written again.
        location.tick()
        assert len(hook.told) == 2
        checks = instance.event_log_storage.get_asset_check_execution_history(
            dg.AssetCheckKey(staged_key("bad"), "contract"), limit=10
        )
        assert len(checks) == 1

        location.write("bad", CONTRACT.format(name="bad", key="rule"))
        location.write("ugly", CONTRACT.format(name="ugly", key="rule"))
        location.write("operations", OPERATIONS.format(key="alertz"))
        location.tick()
        assert sorted(hook.told[2:]) == [
            ("closed", "bad", None, "contract"),
            ("closed", "ugly", None, "contract"),
            ("opened", "operations", None, "contract"),
        ]
