"""Help texts, completion and the version: whole sentences, 80 columns, every option described."""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Iterator
from typing import Any

import pytest
from typer.main import get_command
from typer.testing import CliRunner

from spatial_pipeline.cli import app
from spatial_pipeline_tests.commands.projects import MAIN


def commands(
    group: Any = None, path: tuple[str, ...] = ()
) -> Iterator[tuple[tuple[str, ...], Any]]:
    """Every command with its words."""
    group = group or get_command(app)
    yield path, group
    for name, command in getattr(group, "commands", {}).items():
        yield from commands(command, (*path, name))


COMMANDS = dict(commands())


@pytest.mark.parametrize("path", COMMANDS, ids=" ".join)
def test_help_is_sentences_of_80_columns(path: tuple[str, ...]) -> None:
    done = CliRunner().invoke(app, [*path, "-h"], env={"COLUMNS": "200"})
    assert done.exit_code == 0
    assert max(map(len, done.stdout.splitlines())) <= 80
    assert done.stdout == CliRunner().invoke(app, [*path, "--help"], env={"COLUMNS": "200"}).stdout


@pytest.mark.parametrize("path", COMMANDS, ids=" ".join)
def test_commands_and_options_are_described(path: tuple[str, ...]) -> None:
    command = COMMANDS[path]
    texts = {"": command.help} | {p.name: p.help for p in command.params if p.name != "help"}
    for name, text in texts.items():
        assert text, f"{' '.join(path)} {name} has no help"
        assert text[0].isupper(), (name, text)
        assert text.rstrip().endswith("."), (name, text)


def test_the_version_is_that_of_the_package() -> None:
    from importlib.metadata import version

    done = CliRunner().invoke(app, ["--version"])
    assert (done.exit_code, done.stdout) == (0, f"spatial-pipeline {version('spatial_pipeline')}\n")


@pytest.mark.parametrize(
    ("line", "offered"),
    [
        ("spatial-pipeline hist", "history"),
        ("spatial-pipeline rules must_not_over", "must_not_overlap"),
        ("spatial-pipeline run cou", "counties"),
        ("spatial-pipeline check --ht", "--html"),
    ],
)
def test_a_shell_completes(line: str, offered: str, tmp_path: Any) -> None:
    words = line.split(" ")
    done = subprocess.run(
        [sys.executable, "-c", f"import sys; sys.argv[0] = 'spatial-pipeline'; {MAIN}"],
        env={
            **os.environ,
            "_SPATIAL_PIPELINE_COMPLETE": "complete_bash",
            "COMP_WORDS": line,
            "COMP_CWORD": str(len(words) - 1),
            "SPATIAL_STORE": str(tmp_path),
        },
        capture_output=True,
        text=True,
        timeout=120,
        check=False,
    )
    assert offered in done.stdout.split(), done
