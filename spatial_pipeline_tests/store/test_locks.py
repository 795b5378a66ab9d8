"""A lock that another process holds says whose it is, and is not waited for without end."""

from __future__ import annotations

import logging
import socket
import subprocess
import sys
import threading
from collections.abc import Iterator
from pathlib import Path

import pytest

from spatial_pipeline.errors import GivenUpError, StoreError
from spatial_pipeline.model.version import Publication, Version
from spatial_pipeline.runtime.cancellation import Cancellation, obeying
from spatial_pipeline.store import locks
from spatial_pipeline.store.versions import Store
from spatial_pipeline_tests.store.test_versions import VERSION, verdict, writer

HOLD = """
import sys
from pathlib import Path
from spatial_pipeline.store.versions import Store
with Store(Path(sys.argv[1])).lock("roads", None, sys.argv[2]):
    print("held", flush=True)
    sys.stdin.read()
"""


class Holder:
    """Another process that holds a lock of the dataset roads until it is told to end."""

    def __init__(self, root: Path, purpose: str) -> None:
        self.process = subprocess.Popen(
            [sys.executable, "-c", HOLD, str(root), purpose],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
        )
        assert self.process.stdout is not None
        assert self.process.stdout.readline() == "held\n"

    def end(self) -> None:
        self.process.communicate("")


@pytest.fixture
def root(tmp_path: Path) -> Path:
    Store(tmp_path / "store").stage(VERSION, writer())
    return tmp_path / "store"


@pytest.fixture
def holder(root: Path, request: pytest.FixtureRequest) -> Iterator[Holder]:
    holder = Holder(root, request.param)
    yield holder
    holder.process.kill()
    holder.process.communicate()


@pytest.mark.parametrize(
    ("holder", "action"),
    [
        ("stage", lambda s: s.stage(Version("roads", None, "v2"), writer())),
        ("stage", lambda s: s.remember(VERSION, "proof")),
        ("verdict", lambda s: s.save_verdict(VERSION, lambda _: verdict("a"), lambda _: None)),
        ("publish", lambda s: s.lock("roads", None, "publish").__enter__()),
    ],
    indirect=["holder"],
)
def test_waiting_ends_and_names_the_holder(
    root: Path, holder: Holder, action: object, monkeypatch: pytest.MonkeyPatch,
    caplog: pytest.LogCaptureFixture,
) -> None:  # fmt: skip
    monkeypatch.setattr(locks, "SAY_AFTER_S", 0.05)
    whose = f"process {holder.process.pid} on {socket.gethostname()} since 20"
    with (
        caplog.at_level(logging.WARNING, "spatial_pipeline"),
        pytest.raises(StoreError, match=rf"locked by {whose}.*given up after 0\.3 s.*TIMEOUT_S"),
    ):
        action(Store(root, lock_timeout_s=0.3))  # type: ignore[operator]
    (said,) = caplog.messages
    assert whose in said
    assert "giving up after 0.3 s" in said


@pytest.mark.parametrize("holder", ["publish"], indirect=True)
@pytest.mark.parametrize("how", ["ends", "dies"])
def test_a_lock_that_is_given_back_goes_on(root: Path, holder: Holder, how: str) -> None:
    def later() -> None:
        holder.process.kill() if how == "dies" else holder.end()

    timer = threading.Timer(0.2, later)
    timer.start()
    store = Store(root)
    with store.lock("roads", None, "publish"):
        timer.join()
        store.switch("roads", None, Publication("v1", "c", "t"))
    assert store.published_version("roads", None) == VERSION


@pytest.mark.parametrize("holder", ["stage"], indirect=True)
def test_waiting_can_be_cancelled(root: Path, holder: Holder) -> None:
    cancellation = Cancellation()
    timer = threading.Timer(0.2, cancellation.cancel)
    timer.start()
    with obeying(cancellation), pytest.raises(GivenUpError):
        Store(root).stage(Version("roads", None, "v2"), writer())
    timer.join()


def test_a_holder_that_did_not_sign_is_said_so(root: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(locks, "_sign", lambda _: None)
    store = Store(root, lock_timeout_s=0.1)
    with (
        store.lock("roads", None, "publish"),
        pytest.raises(StoreError, match="an unknown process"),
        store.lock("roads", None, "publish"),
    ):
        pass
