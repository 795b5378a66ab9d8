"""Commands that messages print as the way out are run as they are printed, and are one.

Those about a held schema are run in ``commands/test_accept.py``; acknowledging an incident and
rolling back in ``test_runbook.py``.
"""

from __future__ import annotations

import asyncio
import logging
import re
import secrets
import shlex
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from click.testing import Result
from typer.testing import CliRunner

import spatial_pipeline
from spatial_pipeline.check.engine import catalogue
from spatial_pipeline.cli import app
from spatial_pipeline.errors import StoreError
from spatial_pipeline_tests.commands.projects import Project as Contracts
from spatial_pipeline_tests.postgres import Cluster
from spatial_pipeline_tests.publish.postgis.projects import Project, contract
from spatial_pipeline_tests.publish.postgis.test_ownership import publish
from spatial_pipeline_tests.publish.postgis.test_publisher import run
from spatial_pipeline_tests.publish.postgis.test_readers import ROW, TAMPERED, part_of, script

NAME = r'(?:"(?:[^"]|"")*"|[\w$]+)'
TABLE = rf"{NAME}(?:\.{NAME})?"
SQL = re.compile(
    rf"DROP TABLE {TABLE}|DROP (?:TRIGGER|RULE) {NAME} ON {TABLE}|DELETE FROM ONLY {TABLE}"
    rf"|ALTER TABLE {TABLE} (?:NO INHERIT {TABLE}|RENAME TO {NAME}|SET SCHEMA {NAME})"
    rf"|GRANT {NAME} TO {NAME}|CREATE EXTENSION postgis"
)
ADDED = "drop it yourself, rename it back, or keep it in a table of its own"
OTHERS = "drop or rename it, or name another table"
IN_WORDS = {
    "a column added": ADDED,
    "a column renamed": ADDED,
    **{how: OTHERS for how in TAMPERED if how.endswith(("in its place", "made again"))},
}
"""Changes by hand that only their author can undo, with the words about it."""


def call(*arguments: str, **environment: str | None) -> Result:
    return CliRunner().invoke(app, list(arguments), env=environment)


def heeded(project: Project, message: str) -> list[str]:
    """The statements that a message prints, after they were run."""
    statements: list[str] = SQL.findall(message)
    for statement in statements:
        run(project.dsn, statement)
    return statements


def test_every_command_that_a_message_prints_is_known_here() -> None:
    folder = Path(spatial_pipeline.__file__).parent
    texts = [p.read_text() for p in folder.rglob("*") if p.suffix in {".py", ".jinja"}]
    printed = {c for t in texts for c in re.findall(r"(?<!``)\bspatial-pipeline ([a-z]+)", t)}
    assert printed == {
        "accept", "alerts", "check", "held", "history", "profile", "rollback", "rules", "run",
        "store",
    }  # fmt: skip


def test_the_ways_from_data_to_a_check(tmp_path: Path) -> None:
    project = Contracts(tmp_path)
    data = project.source("roads")
    message = project.call("check", data).output
    inferred, checked, by_rules = re.findall(r"^  spatial-pipeline (.*)$", message, re.MULTILINE)
    profile, _, name = inferred.partition(" > ")
    (tmp_path / name).write_text(project.call(*shlex.split(profile)).stdout)
    (tmp_path / "rules.yaml").write_text("- rule: not_empty\n")
    for command in (checked, by_rules):
        arguments = [tmp_path / a if a.endswith(".yaml") else a for a in shlex.split(command)]
        done = project.call(*arguments)
        assert done.exit_code == 0, done.output


def test_the_list_of_versions_that_an_unknown_version_points_to(tmp_path: Path) -> None:
    project = Contracts(tmp_path)
    project.dataset("a")
    assert project.run()[0] == 0
    message = project.call("show", "a", "qqqqqqqqqq").output
    (command,) = re.findall(r"`spatial-pipeline (history [^`]+)`", " ".join(message.split()))
    listed = project.call(*shlex.split(command))
    assert (listed.exit_code, "published" in listed.stdout) == (0, True)


def test_the_command_that_removes_old_signs_of_life(tmp_path: Path) -> None:
    project = Contracts(tmp_path)
    project.dataset("a")
    assert project.run()[0] == 0
    text = (Path(spatial_pipeline.__file__).parent / "store" / "verify.py").read_text()
    (command,) = re.findall(r"or spatial-pipeline (store [^\"]+)", text)
    numbers = command.replace("N", "2").replace("D", "30")
    assert project.call(*shlex.split(numbers)).exit_code == 0


def test_the_list_of_rules_that_an_unknown_rule_points_to(tmp_path: Path) -> None:
    project = Contracts(tmp_path)
    project.dataset("a", rules=[{"rule": "qqqqqqqqqqqqq"}])
    code, _, told = project.run()
    (command,) = re.findall(r"`(spatial-pipeline [^`]+)` lists all", told)
    listed = call(*shlex.split(command)[1:])
    assert (code, listed.exit_code) == (2, 0)
    assert "not_empty" in listed.stdout


def test_the_list_of_what_is_held_that_a_long_message_points_to(tmp_path: Path) -> None:
    template = Path(spatial_pipeline.__file__).parent / "alert" / "message.txt.jinja"
    (command,) = re.findall(r"spatial-pipeline held\b.*", template.read_text())
    project = Contracts(tmp_path)
    project.dataset("a", rules=[{"rule": "feature_count", "min": 99}])
    assert project.run()[0] == 1
    listed = call(*shlex.split(command)[1:], **project.environment())
    assert listed.exit_code == 1
    assert re.search(r"^a +│ held ", listed.stdout, re.MULTILINE)


@pytest.fixture(scope="module")
def origin(
    postgres: Cluster, tmp_path_factory: pytest.TempPathFactory
) -> tuple[str, Path, Any, Any]:
    """A table in a database that copies faster than it is made."""
    catalogue.load()
    database = postgres.new_database("origin")
    postgres.psql("CREATE SCHEMA gis", database)
    project = Project(tmp_path_factory.mktemp("origin"), postgres.dsn(database))
    of = contract(project.folder)
    return database, project.folder, of, publish(project, of, 5)


@pytest.fixture
def published(
    postgres: Cluster, origin: tuple[str, Path, Any, Any]
) -> Iterator[tuple[Project, Any, Any]]:
    database, folder, of, version = origin
    copy = f"copy_{secrets.token_hex(4)}"
    postgres.psql(f"CREATE DATABASE {copy} TEMPLATE {database}")
    yield Project(folder, postgres.dsn(copy)), of, version
    postgres.psql(f"DROP DATABASE {copy} WITH (FORCE)")


@pytest.mark.parametrize("how", TAMPERED)
def test_after_a_change_by_hand(published: tuple[Project, Any, Any], how: str) -> None:
    project, of, version = published
    statement, _ = TAMPERED[how]
    part = part_of(project)
    script(project.dsn, statement.format(part=part, name=part.partition(".")[2]))
    if how == "a view in its place":
        run(project.dsn, "DROP VIEW gis.points")
    told: list[str] = []
    for _ in range(4):
        try:
            asyncio.run(project.pipeline().apublish(of, version))
            break
        except StoreError as exc:
            told.append(str(exc))
            if not heeded(project, told[-1]):
                break
    assert told
    if SQL.search(told[-1]):
        assert run(project.dsn, "SELECT count(*) FROM gis.points") == [(5,)]
    else:
        assert IN_WORDS[how] in told[-1]


@pytest.mark.parametrize(
    "change",
    [
        "UPDATE {part} SET mark = 9",
        f"INSERT INTO {{part}} {ROW}",
        "ALTER TABLE {part} RENAME mark TO m",
        "ALTER TABLE {part} DROP mark",
    ],
)
def test_after_a_kept_part_was_changed(project: Project, change: str) -> None:
    of = contract(project.folder)
    first = publish(project, of, 5)
    part = part_of(project)
    publish(project, of, 6, mark=1)
    run(project.dsn, change.format(part=part))
    with pytest.raises(StoreError) as caught:
        asyncio.run(project.pipeline().roll_back(of))
    assert len(heeded(project, str(caught.value))) == 1
    assert asyncio.run(project.pipeline().roll_back(of)).version == first.id
    assert run(project.dsn, "SELECT count(*) FROM gis.points") == [(5,)]


def test_after_rows_were_added_to_a_part_that_is_not_needed_any_more(
    project: Project, caplog: pytest.LogCaptureFixture
) -> None:
    of = contract(project.folder)
    publish(project, of, 5)
    part = part_of(project)
    publish(project, of, 6, mark=1)
    run(project.dsn, f"INSERT INTO {part} {ROW}")
    with caplog.at_level(logging.WARNING):
        publish(project, of, 7, mark=2)
    (told,) = [r.getMessage() for r in caplog.records if "not needed any more" in r.getMessage()]
    assert len(heeded(project, told)) == 1
    publish(project, of, 8, mark=3)
    assert run(project.dsn, f"SELECT to_regclass('{part}')") == [(None,)]


def test_without_postgis(project: Project) -> None:
    run(project.dsn, "DROP EXTENSION postgis CASCADE")
    of = contract(project.folder)
    version = project.proven(of, 5)
    with pytest.raises(StoreError) as caught:
        asyncio.run(project.pipeline().apublish(of, version))
    assert heeded(project, str(caught.value)) == ["CREATE EXTENSION postgis"]
    asyncio.run(project.pipeline().apublish(of, version))
    assert run(project.dsn, "SELECT count(*) FROM gis.points") == [(5,)]
