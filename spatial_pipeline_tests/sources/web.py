"""A web server on the loopback interface that behaves as it is told."""

from __future__ import annotations

import hashlib
import re
import ssl
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from email.utils import formatdate
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import NameOID

LONG_AGO = 1_600_000_000.0


@dataclass
class Resource:
    """A file of the server and how it is sent.

    Attributes:
        body: its bytes.
        etag: entity tag; that of the bytes unless given, none when empty.
        modified: Last-Modified in seconds since 1970, None to leave it out.
        statuses: answers before the right one, first to last.
        cut: bytes after which the connection breaks, once each.
        head: answer to HEAD when it is not the right one.
        ranges: ranges are understood.
        lengthless: sent without a length, in chunks.
        redirect: where else it is.
        headers: further ones.
        then: what it is after the next transfer begins.
        pause: set to let a slow answer go on.

    """

    body: bytes = b""
    etag: str | None = None
    modified: float | None = LONG_AGO
    statuses: list[int] = field(default_factory=list)
    cut: list[int] = field(default_factory=list)
    head: int | None = None
    ranges: bool = True
    lengthless: bool = False
    redirect: str | None = None
    headers: dict[str, str] = field(default_factory=dict)
    then: Resource | None = None
    pause: threading.Event | None = None

    @property
    def tag(self) -> str:
        return f'"{hashlib.sha256(self.body).hexdigest()}"' if self.etag is None else self.etag


class Web(ThreadingHTTPServer):
    """The server, its files, and what it was asked."""

    daemon_threads = True

    def __init__(self) -> None:
        super().__init__(("127.0.0.1", 0), _Handler)
        self.files: dict[str, Resource] = {}
        self.asked: list[tuple[str, str, dict[str, str]]] = []

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.server_address[1]}"

    def put(self, path: str, body: bytes, **how: Any) -> str:
        self.files[path] = Resource(body, **how)
        return f"{self.url}{path}"

    def requests(self, method: str) -> list[str]:
        return [path for m, path, _ in self.asked if m == method]

    def handle_error(self, *_: Any) -> None:
        pass  # a client that went away is what tests are about


@contextmanager
def serving(tls: ssl.SSLContext | None = None) -> Iterator[Web]:
    with Web() as server:
        if tls is not None:
            server.socket = tls.wrap_socket(server.socket, server_side=True)
        thread = threading.Thread(target=server.serve_forever, args=(0.01,))
        thread.start()
        try:
            yield server
        finally:
            server.shutdown()
            thread.join()


class _Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    server: Web

    def log_message(self, *_: Any) -> None:
        pass

    def do_HEAD(self) -> None:
        self._answer(body=False)

    def do_GET(self) -> None:
        self._answer(body=True)

    def _answer(self, *, body: bool) -> None:
        headers = {k.lower(): v for k, v in self.headers.items()}
        self.server.asked.append((self.command, self.path, headers))
        file = self.server.files.get(self.path.partition("?")[0])
        if file is None:
            return self._status(404)
        if file.statuses:
            return self._status(file.statuses.pop(0))
        if file.redirect is not None:
            return self._status(302, {"Location": file.redirect})
        if not body and file.head is not None:
            return self._status(file.head)
        if file.pause is not None and body:
            file.pause.wait(5)
        return self._send(file, headers, body=body)

    def _send(self, file: Resource, headers: dict[str, str], *, body: bool) -> None:
        first = 0
        last = len(file.body)
        asked = re.fullmatch(r"bytes=(\d+)-(\d*)", headers.get("range", ""))
        valid = headers.get("if-range", file.tag) == file.tag
        partial = asked is not None and file.ranges and valid
        if asked is not None and partial:
            first = int(asked[1])
            last = min(last, int(asked[2]) + 1) if asked[2] else last
        self.send_response_only(206 if partial else 200)
        self.send_header("Date", file.headers.get("Date", self.date_time_string()))
        if file.tag:
            self.send_header("ETag", file.tag)
        if file.modified is not None:
            self.send_header("Last-Modified", formatdate(file.modified, usegmt=True))
        if partial:
            self.send_header("Content-Range", f"bytes {first}-{last - 1}/{len(file.body)}")
        for name, value in file.headers.items():
            if name == "Date":
                continue
            self.send_header(name, value)
        if file.lengthless:
            self.send_header("Transfer-Encoding", "chunked")
        else:
            self.send_header("Content-Length", str(last - first))
        self.end_headers()
        if not body:
            return
        if file.then is not None and not (asked and asked[2]):
            self.server.files[self.path.partition("?")[0]] = file.then
        data = file.body[first:last]
        if file.cut and not (asked and asked[2]):
            self.wfile.write(data[: file.cut.pop(0)])
            self.close_connection = True
            return
        if file.lengthless:
            data = b"%x\r\n%s\r\n0\r\n\r\n" % (len(data), data)
        self.wfile.write(data)

    def _status(self, status: int, headers: dict[str, str] | None = None) -> None:
        self.send_response(status)
        for name, value in (headers or {}).items():
            self.send_header(name, value)
        self.send_header("Content-Length", "0")
        self.end_headers()


def certified(name: str, folder: Path) -> tuple[ssl.SSLContext, Path]:
    """A server's side of TLS for a name, and the certificate to trust."""
    key = ec.generate_private_key(ec.SECP256R1())
    subject = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, name)])
    now = datetime.now(UTC)
    certificate = (
        x509.CertificateBuilder()
        .subject_name(subject)
        .issuer_name(subject)
        .public_key(key.public_key())
        .serial_number(x509.random_serial_number())
        .not_valid_before(now - timedelta(days=1))
        .not_valid_after(now + timedelta(days=1))
        .add_extension(x509.SubjectAlternativeName([x509.DNSName(name)]), critical=False)
        .add_extension(x509.BasicConstraints(ca=True, path_length=0), critical=True)
        .sign(key, hashes.SHA256())
    )
    trusted, private = folder / "certificate.pem", folder / "key.pem"
    trusted.write_bytes(certificate.public_bytes(serialization.Encoding.PEM))
    private.write_bytes(
        key.private_bytes(
            serialization.Encoding.PEM,
            serialization.PrivateFormat.PKCS8,
            serialization.NoEncryption(),
        )
    )
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(trusted, private)
    return context, trusted
