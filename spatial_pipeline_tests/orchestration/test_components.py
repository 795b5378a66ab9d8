"""The components in a user's own Dagster project that only installs this package."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import dagster as dg
import pytest
import yaml

from spatial_pipeline_tests.orchestration.projects import GOOD, write_points

PYPROJECT = """
[project]
name = "my_project"
version = "0.1.0"

[tool.dg]
directory_type = "project"

[tool.dg.project]
root_module = "my_project"
code_location_target_module = "my_project.definitions"
"""
DEFINITIONS = """
from pathlib import Path

import dagster as dg


@dg.definitions
def defs() -> dg.Definitions:
    return dg.load_from_defs_folder(path_within_project=Path(__file__).parent)
"""
GOOD_CONTRACT = """
type: spatial_pipeline.VectorDataset
attributes:
  name: stations
  source: {uri: stations.geojson}
  rules:
    - {rule: crs, equals: "EPSG:4326"}
    - {rule: not_empty}
"""
WRONG_CONTRACT = """
type: spatial_pipeline.VectorDataset
attributes:
  name: lines
  source: {url: lines.gpkg}
  rules:
    - {rule: must_not_overlapp}
"""


@pytest.fixture
def project(tmp_path: Path) -> Path:
    """A Dagster project with one contract and its data."""
    package = tmp_path / "my_project"
    (package / "defs" / "stations").mkdir(parents=True)
    (tmp_path / "pyproject.toml").write_text(PYPROJECT)
    (package / "__init__.py").touch()
    (package / "defs" / "__init__.py").touch()
    (package / "definitions.py").write_text(DEFINITIONS)
    (package / "defs" / "stations" / "defs.yaml").write_text(GOOD_CONTRACT)
    write_points(package / "defs" / "stations" / "stations.geojson", GOOD)
    return tmp_path


def dagster_cli(project: Path, *arguments: str) -> subprocess.CompletedProcess[str]:
    """``dg`` in a project, in a process of its own."""
    return subprocess.run(
        [str(Path(sys.executable).with_name("dg")), *arguments],
        cwd=project,
        env={
            **os.environ,
            "PYTHONPATH": str(project),
            "COLUMNS": "200",
            "DG_CLI_CONFIG": "/dev/null",
        },
        capture_output=True,
        text=True,
        timeout=200,
        check=False,
    )


def test_list_components(project: Path) -> None:
    done = dagster_cli(project, "list", "components")
    assert done.returncode == 0, done.stderr
    assert "spatial_pipeline.VectorDataset" in done.stdout
    assert "spatial_pipeline.RasterDataset" in done.stdout


def test_check_yaml_and_defs(project: Path) -> None:
    done = dagster_cli(project, "check", "yaml")
    assert done.returncode == 0, done.stdout + done.stderr
    done = dagster_cli(project, "check", "defs")
    assert done.returncode == 0, done.stdout + done.stderr


def test_check_yaml_names_mistakes(project: Path) -> None:
    folder = project / "my_project" / "defs" / "lines"
    folder.mkdir()
    (folder / "defs.yaml").write_text(WRONG_CONTRACT)
    # dg 1.13 looks at one file of each component type; a path says which.
    done = dagster_cli(project, "check", "yaml", str(folder))
    assert done.returncode == 1
    assert "'url' was unexpected" in done.stdout + done.stderr


def test_scaffold(project: Path) -> None:
    done = dagster_cli(project, "scaffold", "defs", "spatial_pipeline.VectorDataset", "power_lines")
    assert done.returncode == 0, done.stdout + done.stderr
    written = yaml.safe_load((project / "my_project/defs/power_lines/defs.yaml").read_text())
    assert written["type"] == "spatial_pipeline.VectorDataset"
    assert written["attributes"]["name"] == "power_lines"
    done = dagster_cli(project, "check", "yaml")
    assert done.returncode == 0, done.stdout + done.stderr


def load(project: Path, monkeypatch: pytest.MonkeyPatch) -> dg.Definitions:
    monkeypatch.syspath_prepend(str(project))
    for name in [n for n in sys.modules if n.split(".")[0] == "my_project"]:
        monkeypatch.delitem(sys.modules, name)
    return dg.load_from_defs_folder(path_within_project=project / "my_project")


def test_uris_are_relative_to_the_contract(project: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("SPATIAL_STORE", str(project / "store"))
    definitions = load(project, monkeypatch)
    with dg.DagsterInstance.ephemeral() as instance:
        job = definitions.resolve_implicit_global_asset_job_def()
        assert job.execute_in_process(instance=instance).success
    assert (project / "store" / "stations" / "-" / "published.json").is_file()


def test_a_broken_contract_does_not_take_the_others_down(
    project: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    folder = project / "my_project" / "defs" / "lines"
    folder.mkdir()
    (folder / "defs.yaml").write_text(WRONG_CONTRACT)
    graph = load(project, monkeypatch).resolve_asset_graph()
    keys = {n.key.to_user_string() for n in graph.asset_nodes}
    assert {"stations/staged", "stations/published", "lines/staged"} <= keys
    assert "lines/published" not in keys
    description = graph.get(dg.AssetKey(["lines", "staged"])).description or ""
    assert "must_not_overlapp" in description
    assert "did you mean 'must_not_overlap'" in description
    assert "defs.yaml:" in description
