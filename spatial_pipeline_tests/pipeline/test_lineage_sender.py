"""Where OpenLineage events go, and what happens to those that cannot be sent."""

from __future__ import annotations

import json
import logging
import threading
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, HTTPServer
from pathlib import Path
from typing import Any

import pytest

from spatial_pipeline.pipeline.lineage_sender import LineageSender, lineage_sender
from spatial_pipeline.settings import Settings

EVENT = {"eventType": "START", "job": {"name": "a.staged"}, "n": float("nan")}


class Service:
    """Answers every request with a status, and keeps path, token and content."""

    def __init__(self) -> None:
        self.status = 201
        self.requests: list[tuple[str, str | None, Any]] = []
        outer = self

        class Handler(BaseHTTPRequestHandler):
            def do_POST(self) -> None:
                body = self.rfile.read(int(self.headers["Content-Length"]))
                token = self.headers.get("Authorization")
                outer.requests.append((self.path, token, json.loads(body)))
                self.send_response(outer.status)
                self.end_headers()

            def log_message(self, *_: Any) -> None:
                pass

        self.server = HTTPServer(("127.0.0.1", 0), Handler)
        self.url = f"http://127.0.0.1:{self.server.server_port}"


@pytest.fixture
def service() -> Iterator[Service]:
    made = Service()
    thread = threading.Thread(target=made.server.serve_forever, args=(0.02,), daemon=True)
    thread.start()
    yield made
    made.server.shutdown()
    made.server.server_close()
    thread.join()


def test_an_address_without_a_path_is_that_of_the_specification(service: Service) -> None:
    assert LineageSender("n", service.url).send(EVENT)
    assert LineageSender("n", f"{service.url}/other?a=1", "key").send(EVENT)
    sent = {**EVENT, "n": "NaN"}
    assert service.requests == [
        ("/api/v1/lineage", None, sent),
        ("/other?a=1", "Bearer key", sent),
    ]


def test_what_is_not_taken_is_a_warning_without_the_address(
    service: Service, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    service.status = 503
    unreachable = "http://user:pa55@127.0.0.1:1"
    missing = (tmp_path / "none" / "events.ndjson").as_uri()
    with caplog.at_level(logging.WARNING):
        for url in (service.url, unreachable, missing):
            assert not LineageSender("n", url).send(EVENT)
    said = [record.getMessage() for record in caplog.records]
    assert said[0] == "the OpenLineage event START of a.staged was not sent: status 503"
    assert "ConnectError" in said[1]
    assert "pa55" not in "".join(said)
    assert "No such file" in said[2]


def test_a_file_has_an_event_a_line(tmp_path: Path) -> None:
    file = tmp_path / "events of ä.ndjson"
    sender = LineageSender("n", file.as_uri())
    assert sender.send(EVENT)
    assert sender.send(EVENT)
    assert [json.loads(line)["eventType"] for line in file.read_text().splitlines()] == [
        "START"
    ] * 2


def test_the_environment(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("URL", "API_KEY", "NAMESPACE"):
        monkeypatch.delenv(f"SPATIAL_OPENLINEAGE_{name}", raising=False)
    assert lineage_sender(Settings()) is None
    monkeypatch.setenv("SPATIAL_OPENLINEAGE_URL", "http://marquez:5000")
    found = lineage_sender(Settings())
    assert found == LineageSender("spatial_pipeline", "http://marquez:5000")
    assert "marquez" not in repr(found)
