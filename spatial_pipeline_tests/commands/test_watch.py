"""``check --watch`` and Ctrl-C, with a process and real files; the loop itself without time."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import typer

from spatial_pipeline.commands.watch import state_of, watch_forever
from spatial_pipeline.contract.load import load_project
from spatial_pipeline_tests.commands.projects import MAIN, Project, points


class EndedError(Exception):
    """Ends a loop that has no end."""


def test_a_change_acts_again_and_a_mistake_ends_no_watch() -> None:
    states = iter(["a", "a", "a", "b", "b", "b", "c"])
    acts: list[int] = []

    def act() -> int:
        acts.append(1)
        raise typer.Exit(2)

    def state() -> object:
        try:
            return next(states)
        except StopIteration:
            raise EndedError from None

    with pytest.raises(EndedError):
        watch_forever(act, state, lambda _: None, lambda _: None)
    assert len(acts) == 2


@pytest.fixture
def project(tmp_path: Path) -> Project:
    return Project(tmp_path)


def test_the_state_follows_contracts_sources_and_comparisons(project: Project) -> None:
    other = {"rule": "same_count_as", "other": {"uri": "other.geojson"}}
    path = project.dataset("roads", rules=[other])
    (project.folder / "other.geojson").write_text(points(range(3)))

    def state() -> Any:
        own, neighbours = load_project([project.folder])
        return state_of([project.folder], [*own, *neighbours], None)

    seen = [state(), state()]
    assert seen[0] == seen[1]
    for file in (path, project.folder / "roads.geojson", project.folder / "other.geojson"):
        file.write_text(file.read_text() + "\n")
        seen.append(state())
        assert seen[-1] != seen[-2], file
    (project.folder / "roads.geojson").unlink()
    assert state() != seen[-1]


def lines(process: subprocess.Popen[str]) -> Iterator[str]:
    assert process.stderr is not None
    yield from process.stderr


def test_watching_checks_again_until_ctrl_c(project: Project) -> None:
    project.dataset("roads", range(3), rules=[{"rule": "feature_count", "min": 3}])
    process = subprocess.Popen(
        [sys.executable, "-c", MAIN, "check", str(project.folder), "--watch"],
        env=os.environ | {"SPATIAL_STORE": str(project.store)},
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )
    try:
        said = lines(process)
        assert any(line.startswith("watching") for line in said)
        (project.folder / "roads.geojson").write_text(points(range(2)))
        assert any(line.startswith("watching") for line in said)
        process.send_signal(signal.SIGINT)
        out, err = process.communicate(timeout=60)
    finally:
        process.kill()
    assert process.returncode == 130
    assert "interrupted" in err
    assert "Traceback" not in err
    assert out.index("roads: passed") < out.index("roads: held")


def test_quiet_prints_nothing_but_the_exit_code_counts(project: Project) -> None:
    path = project.dataset("roads", range(3), rules=[{"rule": "feature_count", "min": 4}])
    done = project.call("check", path, "--quiet")
    assert (done.exit_code, done.stdout, done.stderr) == (1, "", "")


def test_data_are_checked_by_a_file_of_rules(project: Project) -> None:
    project.source("roads")
    rules = project.folder / "rules.yaml"
    rules.write_text("- {rule: feature_count, min: 3}\n- {rule: not_null, columns: [id]}\n")
    data = project.folder / "roads.geojson"
    done = project.call("check", data, "--rules", rules)
    assert done.exit_code == 0
    assert "roads: passed" in done.stdout
    whole = project.contract("other", [{"rule": "feature_count", "min": 4}], key=["id"])
    assert project.call("check", data, data, "--rules", whole).exit_code == 1
