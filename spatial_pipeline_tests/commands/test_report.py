from __future__ import annotations

from pathlib import Path

import pytest

from spatial_pipeline_tests.commands.projects import Project


@pytest.fixture
def project(tmp_path: Path) -> Project:
    project = Project(tmp_path)
    rule = {"rule": "unique", "columns": ["id"]}
    project.dataset("roads", [1, 1, 2], rules=[rule])
    project.dataset("rivers", [1, 2], rules=[rule])
    project.call("check", project.folder)
    return project


def test_the_whole_store_or_some_of_it_is_on_one_page(project: Project, tmp_path: Path) -> None:
    file = tmp_path / "page.html"
    done = project.call("report", "--html", file)
    assert (done.exit_code, done.stdout) == (0, f"report: {file}\n")
    text = file.read_text("utf-8")
    assert text.count('<section id="') == 2
    assert ">roads</a>" in text
    project.call("report", "rivers", "--html", file)
    text = file.read_text("utf-8")
    assert text.count('<section id="') == 1
    assert "roads" not in text


def test_mistakes_are_told_with_the_way_out(project: Project, tmp_path: Path) -> None:
    for arguments, said in (
        (["raods"], "there is no dataset 'raods'"),
        (["--partition", "x"], "there is no partition 'x'"),
        (["--html", tmp_path / "none" / "page.html"], "does not exist"),
    ):
        done = project.call("report", *arguments)
        assert done.exit_code == 2
        assert said in done.stderr
    assert "did you mean" in project.call("report", "raods").stderr


def test_a_difference_has_a_page(project: Project, tmp_path: Path) -> None:
    project.source("roads", [1, 2, 7])
    project.call("check", project.folder)
    store = project.store / "roads" / "-"
    first, second = sorted(
        (p.parent for p in store.glob("*/profile.json")),
        key=lambda p: p.joinpath("profile.json").stat().st_mtime_ns,
    )
    file = tmp_path / "difference.html"
    done = project.call("diff", "roads", first.name, second.name, "--key", "id", "--html", file)
    assert (done.exit_code, done.stderr) == (1, f"report: {file}\n")
    text = file.read_text("utf-8")
    assert f"roads: {first.name} → {second.name}" in text
    assert "failed (2) → passed (0)" in text
