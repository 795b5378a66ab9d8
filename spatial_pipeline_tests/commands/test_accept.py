"""``spatial-pipeline accept``: the way out of a held schema."""

from __future__ import annotations

import json
import shlex
from pathlib import Path

import pytest

from spatial_pipeline_tests.test_cli import Project


@pytest.fixture
def held(tmp_path: Path) -> Project:
    """Parcels whose second version lost its column ``id`` and gained ``code``."""
    project = Project(tmp_path)
    project.dataset("parcels", "abc", [], key=[])
    assert project.run("run", "--contracts", tmp_path).exit_code == 0
    path = tmp_path / "parcels" / "parcels.geojson"
    path.write_text(path.read_text().replace('"id": "a"', '"id": 3').replace('"id"', '"code"'))
    return project


def run(project: Project) -> tuple[int, list[str]]:
    result = project.run("run", "--json", "--contracts", project.folder)
    return result.exit_code, json.loads(result.stdout)["datasets"][0]["reasons"]


def test_held_accepted_published(held: Project) -> None:
    where = ("--contracts", held.folder)
    code, (reason,) = run(held)
    assert code == 1
    assert "column id (string) removed; column code" in reason
    fingerprint = reason.partition("--schema ")[2].split()[0]
    wrong = held.run("accept", "parcels", "--schema", "0" * 12, *where)
    assert wrong.exit_code == 2
    assert "no version is held because of a schema" in wrong.stderr
    assert run(held)[0] == 1

    done = held.run("accept", "parcels", "--schema", fingerprint, "--by", "Ann", *where)
    assert done.exit_code == 0, done.stderr
    assert done.stdout.startswith(f"parcels: schema {fingerprint}")
    assert done.stdout.rstrip().endswith("accepted by Ann")
    assert "column id (string) removed" in done.stderr
    (path,) = held.store.glob("parcels/-/accepted.json")
    (accepted,) = json.loads(path.read_text())["schemas"]
    assert (accepted["by"], accepted["schema"][:12]) == ("Ann", fingerprint)
    assert accepted["at"].startswith("20")
    assert run(held) == (0, [])
    again = held.run("accept", "parcels", *where)
    assert (again.exit_code, again.stdout) == (1, "")
    assert "no version is held because of its schema" in again.stderr


def test_who_accepts_is_the_login(held: Project, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("LOGNAME", "bob")
    run(held)
    done = held.run("accept", "parcels", "--contracts", held.folder)
    assert done.stdout.rstrip().endswith("accepted by bob")


@pytest.mark.parametrize(
    ("arguments", "said"),
    [(("parcel",), "did you mean 'parcels'?"), (("parcels", "--partition", "x"), "no partitions")],
)
def test_wrong_calls(held: Project, arguments: tuple[str, ...], said: str) -> None:
    result = held.run("accept", *arguments, "--contracts", held.folder)
    assert result.exit_code == 2
    assert said in result.stderr


def test_help_says_what_it_does(tmp_path: Path) -> None:
    said = Project(tmp_path).run("accept", "--help").stdout
    assert "Accept the changed schema of a held dataset" in said


def test_what_is_held_for_its_schema_is_listed(held: Project) -> None:
    where = ("--contracts", held.folder)
    assert held.run("held").stdout == "nothing is held\n"
    run(held)
    for arguments, state in ((where, "held"), ((), "unpublished")):
        listed = held.run("held", "--json", *arguments)
        assert listed.exit_code == 1
        (entry,) = json.loads(listed.stdout)["held"]
        assert (entry["dataset"], entry["state"]) == ("parcels", state)
        (reason,) = entry["reasons"]
        assert "column code" in reason
        assert ("spatial-pipeline accept parcels --schema " in reason) == bool(arguments)
    held.run("accept", "parcels", *where)
    run(held)
    assert held.run("held", *where).exit_code == 0


def test_a_damaged_publication_is_no_reason_to_list_nothing(held: Project) -> None:
    run(held)
    published = json.loads((held.store / "parcels" / "-" / "published.json").read_text())
    (held.store / "parcels" / "-" / published["version"] / "profile.json").write_text("{")
    listed = held.run("held", "--json")
    assert listed.exit_code == 1
    assert json.loads(listed.stdout)["held"][0]["reasons"] == ["it passed but was not published"]


def test_the_ways_out_work_as_they_are_printed(held: Project) -> None:
    run(held)
    listed = held.run("held", "--json", "--contracts", held.folder)
    (reason,) = json.loads(listed.stdout)["held"][0]["reasons"]
    command = shlex.split(reason.partition("if this is intended: ")[2])
    assert command[0] == "spatial-pipeline"
    accepted = held.run(*command[1:])
    assert accepted.exit_code == 0, accepted.stderr
    command = shlex.split(
        accepted.stderr.splitlines()[-1].removeprefix("to publish it, if its rules pass: ")
    )
    published = held.run(*command[1:])
    assert (command[:2], published.exit_code) == (["spatial-pipeline", "run"], 0), published.stderr
