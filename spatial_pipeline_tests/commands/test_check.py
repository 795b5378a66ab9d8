"""What ``check`` says of mistakes that only show with the data."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from spatial_pipeline_tests.commands.projects import Project, rows


@pytest.fixture
def project(tmp_path: Path) -> Project:
    return Project(tmp_path)


def test_key_columns_that_the_data_do_not_have_are_a_mistake_of_the_contract(
    project: Project,
) -> None:
    wrong = project.dataset("a", key=["id", "idd"])
    right = project.dataset("b", key=["id"])
    done = project.call("check", project.folder, "--json")
    assert done.exit_code == 2
    found = json.loads(done.stdout)
    line = 1 + wrong.read_text().splitlines().index("  - idd")
    mistake = f"{wrong}:{line}: key: the data have no column 'idd'; did you mean 'id'?"
    assert found["mistakes"] == [mistake]
    assert done.stderr.splitlines() == [mistake]
    assert {r["message"] for r in rows(done.stdout)["a"]["results"]} == {mistake}
    assert rows(done.stdout)["b"]["passed"] is True
    assert project.call("check", right).exit_code == 0
    code, ran, _ = project.run()
    assert (code, ran["a"]["outcome"], ran["a"]["reasons"]) == (1, "failed", [mistake])
    assert ran["b"]["outcome"] == "published"


def test_columns_of_a_source_that_cannot_be_read_are_not_missed(project: Project) -> None:
    path = project.contract("a", key=["id"])
    (project.folder / "a.geojson").write_text("{")
    done = project.call("check", path, "--json")
    assert done.exit_code == 1
    (readable,) = [r for r in rows(done.stdout)["a"]["results"] if r["rule"] == "readable"]
    assert "key" not in readable["message"]
