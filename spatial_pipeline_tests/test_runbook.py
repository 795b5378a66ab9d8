"""The commands of docs/runbook.md, as they are printed and in their order."""

from __future__ import annotations

import os
import re
import subprocess
import sys
from pathlib import Path

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


@pytest.mark.timeout(600)
def test_every_command_of_the_page_does_what_it_says(tmp_path: Path) -> None:
    project = Project(tmp_path)
    project.dataset("roads", range(4))
    assert project.run("roads")[0] == 0
    good = (project.folder / "roads.geojson").read_text()
    (project.folder / "roads.geojson").write_text(good.replace("[1, 1]", "[]"))
    assert project.run("roads")[0] == 1
    programs = tmp_path / "bin"
    programs.mkdir()
    script = f'#!/bin/sh\nexec {sys.executable} -m spatial_pipeline_tests.command_line "$@"\n'
    (programs / "spatial-pipeline").write_text(script)
    (programs / "spatial-pipeline").chmod(0o755)
    with instance_for_test() as instance:
        desk = AlertDispatcher(Book(instance, "here"), ())
        broken = fact(rule_key("roads", None, "not_empty"), 1)
        desk.take([Observation.of(1_700_000_000.0, [broken])])
        stuck = create_run_for_test(
            instance, job_name="roads_job", status=dg.DagsterRunStatus.STARTED
        )
        environment = os.environ | {
            "PATH": f"{programs}:{os.environ['PATH']}",
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
            called = subprocess.run(
                ["bash", "-euc", command], cwd=tmp_path, env=environment, timeout=300,
                capture_output=True, text=True, check=False,
            )  # fmt: skip
            beginning = max((b for b in EXPECTED if command.startswith(b)), key=len)
            code, words = EXPECTED[beginning]
            assert called.returncode == code, (command, called.stdout, called.stderr)
            assert words in called.stdout, (command, called.stdout)
        ended = instance.get_run_by_id(stuck.run_id)
        assert ended is not None
        assert ended.status is dg.DagsterRunStatus.FAILURE
