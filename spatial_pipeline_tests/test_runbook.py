"""The commands of docs/runbook.md, as they are printed and in their order."""

from __future__ import annotations

import os
import re
import shlex
import subprocess
from pathlib import Path
from string import Template

import dagster as dg
import pytest
from dagster._core.test_utils import create_run_for_test, instance_for_test

from spatial_pipeline.alert.dispatcher import AlertDispatcher
from spatial_pipeline.alert.problems import Observation, rule_key
from spatial_pipeline.orchestration.alerts.state import Book
from spatial_pipeline_tests.alert.cases import fact
from spatial_pipeline_tests.commands.projects import Project

PAGE = Path(__file__).parents[1] / "docs" / "runbook.md"
BLOCK = re.compile(r"```console\n(.*?)```", re.DOTALL)


def commands() -> list[str]:
    """Every command of the page."""
    blocks = BLOCK.findall(PAGE.read_text(encoding="utf-8"))
    lines = [line for block in blocks for line in block.splitlines()]
    assert all(line.startswith("$ ") for line in lines)
    return [line.removeprefix("$ ") for line in lines]


EXPECTED = {
    "spatial-pipeline held": (1, "not_empty"),
    "spatial-pipeline alerts list": (1, "roads is held: not_empty fails"),
    "spatial-pipeline store verify": (0, "everything is right"),
    "spatial-pipeline alerts acknowledge": (0, "1 open problem acknowledged by anna"),
    "spatial-pipeline run roads": (0, "published"),
    "spatial-pipeline rollback roads": (0, "again"),
    "spatial-pipeline end-run": (0, "has ended"),
    "spatial-pipeline alerts reset": (0, "1 incident of roads closed"),
    "spatial-pipeline alerts silence": (0, "nothing is sent until"),
    "spatial-pipeline alerts unsilence": (0, "1 silence ended"),
    "spatial-pipeline store prune": (0, "deleted"),
    "SPATIAL_STORE=restored spatial-pipeline store verify": (0, "everything is right"),
    "SPATIAL_STORE=restored spatial-pipeline run roads": (0, "published"),
    "tar": (0, ""),
    "mkdir": (0, ""),
}
"""How a command begins → exit code and words of its output; the longest beginning counts."""


def called(project: Project, command: str, environment: dict[str, str]) -> tuple[int, str, str]:
    """Exit code, stdout and stderr of a command of the page."""
    words = [Template(w).substitute(environment) for w in shlex.split(command)]
    given = dict(environment)
    while "=" in words[0]:
        name, _, value = words.pop(0).partition("=")
        given[name] = value
    if words[0] == "spatial-pipeline":
        done = project.call(*words[1:], **given)
        return done.exit_code, done.stdout, done.stderr
    other = subprocess.run(words, capture_output=True, text=True, timeout=60, check=False)
    return other.returncode, other.stdout, other.stderr


@pytest.mark.timeout(600)
def test_every_command_of_the_page_does_what_it_says(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    project = Project(tmp_path)
    project.dataset("roads", range(4))
    assert project.run("roads")[0] == 0
    good = (project.folder / "roads.geojson").read_text()
    (project.folder / "roads.geojson").write_text(good.replace("[1, 1]", "[]"))
    assert project.run("roads")[0] == 1
    with instance_for_test() as instance:
        desk = AlertDispatcher(Book(instance, "here"), ())
        broken = fact(rule_key("roads", None, "not_empty"), 1)
        desk.take([Observation.of(1_700_000_000.0, [broken])])
        stuck = create_run_for_test(
            instance, job_name="roads_job", status=dg.DagsterRunStatus.STARTED
        )
        environment = {
            "DAGSTER_HOME": os.environ["DAGSTER_HOME"],
            "SPATIAL_STORE": str(project.store),
            "SPATIAL_CONTRACTS": str(project.folder),
            "RUN": stuck.run_id[:8],
        }
        delivered = 4
        for command in commands():
            if command.endswith("spatial-pipeline run roads"):
                # Somebody corrected the source, or delivered a new one.
                delivered += 1
                project.source("roads", range(delivered))
            code, out, err = called(project, command, environment)
            expected, words = EXPECTED[max((b for b in EXPECTED if command.startswith(b)), key=len)]
            assert code == expected, (command, out, err)
            assert words in out, (command, out)
        ended = instance.get_run_by_id(stuck.run_id)
        assert ended is not None
        assert ended.status is dg.DagsterRunStatus.FAILURE
