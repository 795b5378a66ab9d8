"""The hook for pre-commit and the action for GitHub, as far as they run without their hosts."""

from __future__ import annotations

import json
import os
import shlex
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
import yaml

from spatial_pipeline.commands.changed import concerned
from spatial_pipeline_tests.commands.projects import Project, points

ROOT = Path(__file__).parents[1]
ACTION = yaml.safe_load((ROOT / ".github/actions/check/action.yml").read_text(encoding="utf-8"))
(HOOK,) = yaml.safe_load((ROOT / ".pre-commit-hooks.yaml").read_text(encoding="utf-8"))


@pytest.fixture
def project(tmp_path: Path) -> Project:
    """Two datasets in a repository, of which the last commit breaks one."""
    project = Project(tmp_path)
    project.dataset("roads", rules=[{"rule": "feature_count", "min": 3}])
    project.dataset("rivers", rules=[{"rule": "feature_count", "min": 3}])
    git(project, "init", "-q")
    git(project, "add", ".")
    git(project, "commit", "-qm", "Deliver")
    (project.folder / "roads.geojson").write_text(points(range(2)))
    (project.folder / "notes.txt").write_text("nothing")
    git(project, "add", ".")
    git(project, "commit", "-qm", "Break")
    return project


def git(project: Project, *arguments: str) -> str:
    names = {
        f"GIT_{w}_{k}": "a@example.org" for w in ("AUTHOR", "COMMITTER") for k in ("NAME", "EMAIL")
    }
    done = subprocess.run(
        ["git", *arguments], cwd=project.folder, env=os.environ | names, capture_output=True,
        text=True, check=True,
    )  # fmt: skip
    return done.stdout.strip()


def step(project: Project, tmp_path: Path, **variables: str) -> tuple[int, str, dict[str, Any]]:
    """Exit code, output and SARIF of the step Check."""
    (script,) = [s["run"] for s in ACTION["runs"]["steps"] if s.get("name") == "Check"]
    output = tmp_path / "output"
    output.touch()
    environment = {
        "PATH": os.pathsep.join((str(Path(sys.executable).parent), os.environ["PATH"])),
        "PYTHONPATH": str(ROOT),
        "SPATIAL_STORE": str(project.store),
        "RUNNER_TEMP": str(tmp_path),
        "GITHUB_OUTPUT": str(output),
        "PATHS": ".",
        "CHANGED": "false",
        "ARGUMENTS": "",
        "BASE": "",
    }
    done = subprocess.run(
        ["bash", "-eo", "pipefail", "-c", script], cwd=project.folder,
        env=os.environ | environment | variables, capture_output=True, text=True, check=False,
        timeout=200,
    )  # fmt: skip
    written = dict(line.split("=", 1) for line in output.read_text().splitlines())
    log = json.loads(Path(written["sarif"]).read_text()) if "sarif" in written else {}
    return done.returncode, done.stdout + done.stderr, log


def test_the_action_checks_what_the_commit_concerns(project: Project, tmp_path: Path) -> None:
    code, said, log = step(
        project, tmp_path, CHANGED="true", BASE=git(project, "rev-parse", "HEAD~1")
    )
    assert code == 1, said
    assert "roads: held" in said
    assert "rivers" not in said
    assert log["version"] == "2.1.0"
    assert log["runs"][0]["results"]


def test_the_action_checks_folders_and_takes_arguments(project: Project, tmp_path: Path) -> None:
    page = tmp_path / "report.html"
    code, said, _ = step(project, tmp_path, ARGUMENTS=f"--html {page}")
    assert code == 1, said
    assert "rivers: passed" in said
    assert page.exists()


def test_the_action_installs_the_repository_that_it_is_part_of(tmp_path: Path) -> None:
    (script,) = [s["run"] for s in ACTION["runs"]["steps"] if s.get("name") == "Install"]
    program = tmp_path / "python"
    program.write_text('#!/bin/sh\nprintf "%s\\n" "$@"\n')
    program.chmod(0o755)
    path = os.pathsep.join((str(tmp_path), os.environ["PATH"]))
    installed = []
    for package in ("", "spatial_pipeline[maps]==0.1.0"):
        environment = {"GITHUB_ACTION_PATH": str(ROOT / ".github/actions/check"), "PATH": path}
        done = subprocess.run(
            ["bash", "-eo", "pipefail", "-c", script], env=environment | {"PACKAGE": package},
            capture_output=True, text=True, check=True, timeout=60,
        )  # fmt: skip
        *words, what = done.stdout.splitlines()
        assert words == ["-m", "pip", "install", "--quiet"]
        installed.append(what)
    assert Path(installed[0]).resolve() == ROOT
    assert (Path(installed[0]) / "pyproject.toml").exists()
    assert installed[1] == "spatial_pipeline[maps]==0.1.0"


def test_the_action_names_inputs_that_it_has() -> None:
    text = (ROOT / ".github/actions/check/action.yml").read_text(encoding="utf-8")
    used = {w.split("}")[0].split(" ")[0] for w in text.split("inputs.")[1:]}
    assert {u.strip("'\")") for u in used} == set(ACTION["inputs"])


def test_the_hook_checks_contracts_and_data_and_skips_the_rest(project: Project) -> None:
    files = [project.folder / n for n in ("roads.geojson", "notes.txt", "gone.gpkg")]
    assert concerned(files, project.folder) == [project.folder / "roads.yaml"]
    contracts = [project.folder / n for n in ("roads.yaml", "rivers.yaml")]
    assert concerned([*contracts, *files], project.folder) == contracts
    assert concerned([files[1]], project.folder) == []
    assert shlex.split(HOOK["entry"]) == ["spatial-pipeline", "check", "--changed"]


def test_contracts_of_partitions_and_sidecars_are_concerned(project: Project) -> None:
    (project.folder / "tiles.yaml").write_text(
        "type: spatial_pipeline.VectorDataset\n"
        'attributes: {name: t, source: {uri: "{partition}.shp"}}\n'
    )
    sidecar = project.folder / "north.dbf"
    sidecar.touch()
    assert project.folder / "tiles.yaml" in concerned([sidecar], project.folder)
