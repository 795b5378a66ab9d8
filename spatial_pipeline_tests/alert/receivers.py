"""Real receivers on the loopback interface: a web server and a mail server that keep messages."""

from __future__ import annotations

import contextlib
import email
import json
import socket
import threading
from collections.abc import Callable, Iterator
from email.message import Message as Mail
from email.policy import default
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

from aiosmtpd.controller import Controller


class Web:
    """A webhook receiver; ``down`` makes it answer 503.

    ``before`` and ``after`` are called with the number of messages received so far, before and
    after a message is answered.
    """

    def __init__(self) -> None:
        self.down = False
        self.before: Callable[[int], None] = lambda _n: None
        self.after: Callable[[int], None] = lambda _n: None
        self.received: list[dict[str, Any]] = []
        self.refused = 0
        outer = self

        class Handler(BaseHTTPRequestHandler):
            def do_POST(self) -> None:
                body = self.rfile.read(int(self.headers["Content-Length"]))
                if outer.down:
                    outer.refused += 1
                    self.send_response(503)
                else:
                    outer.received.append(json.loads(body))
                    outer.before(len(outer.received))
                    self.send_response(200)
                self.end_headers()
                self.wfile.flush()
                outer.after(len(outer.received))

            def handle_one_request(self) -> None:
                # Whoever sent may be dead by now.
                with contextlib.suppress(OSError):
                    super().handle_one_request()

            def log_message(self, *_: Any) -> None:
                pass

        self.server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self.server.daemon_threads = True

    @property
    def url(self) -> str:
        return f"json://127.0.0.1:{self.server.server_port}/hook"

    @property
    def ids(self) -> list[str]:
        return [r["alert_id"] for r in self.received]

    @property
    def told(self) -> list[tuple[str, str, str | None, str]]:
        """(what, dataset, partition, name) of every change, in order of arrival."""
        return [
            (a["what"], a["dataset"], a["partition"], a["name"])
            for r in self.received
            for a in r["alerts"]
        ]


@contextlib.contextmanager
def web() -> Iterator[Web]:
    made = Web()
    thread = threading.Thread(target=made.server.serve_forever, args=(0.02,), daemon=True)
    thread.start()
    try:
        yield made
    finally:
        made.server.shutdown()
        made.server.server_close()
        thread.join()


class Post:
    """A mail server; ``down`` makes it refuse every mail."""

    def __init__(self) -> None:
        self.down = False
        self.received: list[Mail] = []
        self.port = 0

    async def handle_DATA(self, server: Any, session: Any, envelope: Any) -> str:  # noqa: N802
        if self.down:
            return "451 later"
        self.received.append(email.message_from_bytes(envelope.content, policy=default))
        return "250 taken"

    @property
    def url(self) -> str:
        return (
            f"mailto://127.0.0.1:{self.port}?from=gis@example.org&to=ops@example.org&mode=insecure"
        )

    @property
    def ids(self) -> list[str]:
        return [str(m["Message-ID"]) for m in self.received]


@contextlib.contextmanager
def post() -> Iterator[Post]:
    made = Post()
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        made.port = free.getsockname()[1]
    controller = Controller(made, hostname="127.0.0.1", port=made.port)
    controller.start()
    try:
        yield made
    finally:
        controller.stop()
