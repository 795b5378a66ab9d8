"""Results on stdout and nothing else there, whoever prints."""

from __future__ import annotations

import os
import pty
import re
import subprocess
import sys

import pytest

from spatial_pipeline.commands.terminal import progress_bars

PRINTING = """
import os, subprocess, sys
import typer
from spatial_pipeline.commands.terminal import print_json, print_text, results_only

app = typer.Typer()

@app.command()
@results_only
def command(fail: bool = False):
    print("a library in Python")
    os.write(1, b"a library in C\\n")
    subprocess.run(["echo", "a child"], check=True)
    if fail:
        raise ValueError("broken")
    print_text("")
    print_json({"a": "é"})
    sys.stdout.write("late\\n")

app()
"""
STRANGE = {"a library in Python", "a library in C", "a child"}


def run(*arguments: str, stderr: int = subprocess.PIPE) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, "-c", PRINTING, *arguments],
        stdout=subprocess.PIPE,
        stderr=stderr,
        encoding="utf-8",
        check=False,
    )


def test_what_others_print_goes_to_stderr() -> None:
    done = run()
    assert (done.returncode, done.stdout) == (0, '{\n  "a": "é"\n}\n')
    assert {*done.stderr.splitlines()} == STRANGE | {"late"}


def test_a_command_that_breaks_leaves_stdout_empty() -> None:
    done = run("--fail")
    assert (done.returncode, done.stdout) == (1, "")
    assert {*done.stderr.splitlines()} >= STRANGE
    assert "ValueError" in done.stderr


def test_help_is_a_result() -> None:
    assert "--fail" in run("--help").stdout


@pytest.mark.parametrize("redirected", ["2>&-", "2>/dev/null"])
def test_a_closed_stderr_stops_nothing(redirected: str) -> None:
    done = subprocess.run(
        ["bash", "-c", f'"$@" {redirected}', "bash", sys.executable, "-c", PRINTING],
        stdout=subprocess.PIPE,
        encoding="utf-8",
        check=False,
    )
    assert done.stdout.endswith('{\n  "a": "é"\n}\n')


def test_a_terminal_gets_bars_with_the_remaining_time(monkeypatch: pytest.MonkeyPatch) -> None:
    read, terminal = pty.openpty()
    with os.fdopen(terminal, "w", encoding="utf-8") as stderr:
        monkeypatch.setattr(sys, "stderr", stderr)
        monkeypatch.setenv("TERM", "xterm")
        with progress_bars() as show:
            show("roads[north]", "ingest", 1, 4)
            show("roads[north]", "ingest", 3, 4)
        with progress_bars(quiet=True) as show:
            show("hidden", "ingest", 1, 4)
        stderr.flush()
        drawn = os.read(read, 1 << 16).decode()
    os.close(read)
    assert "ingest roads[north]" in drawn
    assert "3/4" in drawn
    assert re.search(r"-:--:--|\d:\d\d:\d\d", drawn)
    assert "hidden" not in drawn
