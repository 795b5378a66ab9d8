"""``spatial-pipeline alerts test`` in a process of its own, against real receivers."""

from __future__ import annotations

import base64
import os
import subprocess
import sys
from collections.abc import Callable

import pytest
from click.testing import Result
from typer.testing import CliRunner

from spatial_pipeline.cli import app
from spatial_pipeline_tests.alert.receivers import post, web


def alerts_test(urls: str | None, *arguments: str) -> subprocess.CompletedProcess[str]:
    environment = {**os.environ, "SPATIAL_UI_URL": "http://ui"}
    if urls is not None:
        environment["SPATIAL_ALERT_URLS"] = urls
    return subprocess.run(
        [
            sys.executable,
            "-c",
            "from spatial_pipeline.cli import main; main()",
            "alerts",
            "test",
            *arguments,
        ],
        env=environment,
        capture_output=True,
        text=True,
        timeout=120,
        check=False,
    )


def test_every_channel_gets_a_sample() -> None:
    with web() as hook, post() as mail:
        done = alerts_test(f"{hook.url},ops={mail.url}")
        assert (done.returncode, done.stdout) == (0, "json: sent\nops: sent\n"), done.stderr
        (got,) = hook.received
        assert "nothing is wrong" in got["message"]
        assert got["alerts"][0]["links"]["run"].startswith("http://ui/runs/")
        assert base64.b64decode(got["attachments"][0]["base64"]).startswith(b"\x89PNG")
        assert len(mail.received) == 1


@pytest.fixture
def in_process(monkeypatch: pytest.MonkeyPatch) -> Callable[..., Result]:
    def call(urls: str, *arguments: str) -> Result:
        monkeypatch.setenv("SPATIAL_ALERT_URLS", urls)
        return CliRunner().invoke(app, ["alerts", "test", *arguments])

    return call


def test_one_that_does_not_work_is_named(in_process: Callable[..., Result]) -> None:
    with web() as hook, web() as broken:
        broken.down = True
        done = in_process(f"good={hook.url}, bad={broken.url}/topsecret")
        assert done.exit_code == 1
        assert "good: sent" in done.stdout
        assert "bad: failed:" in done.stdout
        assert "503" in done.stdout
        assert "topsecret" not in done.output
        done = in_process(f"good={hook.url}, bad={broken.url}", "--channel", "good")
        assert (done.exit_code, done.stdout) == (0, "good: sent\n")


def test_mistakes(in_process: Callable[..., Result]) -> None:
    done = in_process("")
    assert done.exit_code == 2
    assert done.stderr == "error: there are no channels: set SPATIAL_ALERT_URLS\n"
    done = in_process("nonsense://topsecret")
    assert done.exit_code == 2
    assert "topsecret" not in done.output
    done = in_process("ops=json://a", "--channel", "opps")
    assert done.exit_code == 2
    assert done.stderr == "error: there is no channel 'opps'; did you mean 'ops'?\n"
