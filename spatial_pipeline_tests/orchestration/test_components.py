"""The components in a user's own Dagster project that only installs this package."""

from __future__ import annotations

import os
import shlex
import subprocess
import sys
from pathlib import Path

import dagster as dg
import pytest
import yaml
from dagster._core.definitions.definitions_load_context import (
    DefinitionsLoadContext,
    DefinitionsLoadType,
)

from spatial_pipeline.orchestration import strict
from spatial_pipeline.orchestration.components import VectorDataset
from spatial_pipeline_tests.orchestration.projects import GOOD, write_points
from spatial_pipeline_tests.pages import snippets

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
WRONG_REFERENCE = """
type: spatial_pipeline.VectorDataset
attributes:
  name: areas
  source: {uri: areas.geojson}
  rules:
    - {rule: must_be_covered_by, other: {dataset: station}}
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


def dagster_cli(
    project: Path, *arguments: str, program: str = "dg"
) -> subprocess.CompletedProcess[str]:
    """``dg`` in a project, in a process of its own."""
    return subprocess.run(
        [str(Path(sys.executable).with_name(program)), *arguments],
        cwd=project,
        env={
            **os.environ,
            "PYTHONPATH": f"{project}:{Path.cwd()}",
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


@pytest.mark.parametrize(
    "command", [("dg", "check", "defs", "--no-check-yaml"), ("dagster", "definitions", "validate")]
)
def test_validation_fails_with_every_mistake_of_every_contract(
    project: Path, command: tuple[str, ...]
) -> None:
    for name, text in (("lines", WRONG_CONTRACT), ("areas", WRONG_REFERENCE)):
        folder = project / "my_project" / "defs" / name
        folder.mkdir()
        (folder / "defs.yaml").write_text(text)
    done = dagster_cli(project, *command[1:], program=command[0])
    assert done.returncode == 1
    said = done.stdout + done.stderr
    assert "lines/defs.yaml:5: source: unknown key 'url'; did you mean 'uri'?" in said, said
    assert "unknown rule 'must_not_overlapp'; did you mean 'must_not_overlap'?" in said
    assert "areas/defs.yaml:7: must_be_covered_by: there is no dataset 'station'" in said
    assert "3 mistakes" in said


def test_a_strict_location_does_not_load_with_a_mistake(
    project: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("SPATIAL_STRICT_CONTRACTS", "true")
    load(project, monkeypatch).resolve_asset_graph()
    folder = project / "my_project" / "defs" / "lines"
    folder.mkdir()
    (folder / "defs.yaml").write_text(WRONG_CONTRACT)
    strict.project_mistakes.cache_clear()
    with pytest.raises(Exception, match="lines") as raised:
        load(project, monkeypatch)
    assert "must_not_overlapp" in str(raised.value.__cause__)
    strict.project_mistakes.cache_clear()


def test_the_commands_of_the_readme(project: Path) -> None:
    (commands,) = [s for s in snippets("README.md", "sh") if s.text.startswith("dg ")]
    (contract,) = snippets("README.md", "yaml")
    path = project / "my_project/defs/roads/defs.yaml"
    for command, _ in commands.commands():
        done = dagster_cli(project, *shlex.split(command)[1:])
        assert done.returncode == 0, done.stdout + done.stderr
        if "scaffold" in command:
            written = yaml.safe_load(path.read_text())
            assert written["type"] == "spatial_pipeline.VectorDataset"
            assert written["attributes"]["name"] == "roads"
            path.write_text(contract.text)


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
    # The assets that were known before are there, and what depends on them finds them.
    datasets = ("stations", "lines")
    assert {f"{d}/{a}" for d in datasets for a in ("source", "staged", "published")} <= keys
    checks = {k.to_user_string() for k in graph.asset_check_keys}
    assert {"lines/staged:contract", "lines/published:contract"} <= checks
    description = graph.get(dg.AssetKey(["lines", "staged"])).description or ""
    assert "must_not_overlapp" in description
    assert "did you mean 'must_not_overlap'" in description
    assert "defs.yaml:" in description


def test_a_run_builds_no_schema() -> None:
    model = VectorDataset.get_model_cls()
    with DefinitionsLoadContext.scoped(DefinitionsLoadContext(DefinitionsLoadType.INITIALIZATION)):
        assert len(model.model_json_schema()["$defs"]) > 100
    with DefinitionsLoadContext.scoped(DefinitionsLoadContext(DefinitionsLoadType.RECONSTRUCTION)):
        assert model.model_json_schema() == {"type": "object"}
