"""Files of a web server: requested at a checked address, streamed to disk, resumed when cut."""

from __future__ import annotations

import re
from base64 import b64encode
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import replace
from datetime import UTC, datetime
from email.utils import parsedate_to_datetime
from http import HTTPStatus
from pathlib import Path
from typing import BinaryIO
from urllib.parse import quote, unquote, urljoin, urlsplit, urlunsplit

import httpx2

from spatial_pipeline.contract.remote_url import RemoteUrl, admit, names_an_address, parse
from spatial_pipeline.errors import SourceError, SourceLostError, SourceUnreachableError
from spatial_pipeline.sources import addresses
from spatial_pipeline.sources.attempts import Attempts, attempts
from spatial_pipeline.sources.limits import Budget, TransferLimits
from spatial_pipeline.sources.sidecars import candidates
from spatial_pipeline.sources.transfer_stats import Stat

ABSENT = frozenset({HTTPStatus.NOT_FOUND, HTTPStatus.GONE})
REFUSED = frozenset({HTTPStatus.UNAUTHORIZED, HTTPStatus.FORBIDDEN})
EMPTY = HTTPStatus.REQUESTED_RANGE_NOT_SATISFIABLE
"""Answer to who asks for the first byte of an empty file."""
REDIRECTS = frozenset({301, 302, 303, 307, 308})
BUSY = frozenset({408, 425, 429, 500, 502, 503, 504})
"""Answers that may be others a moment later."""
_RANGE = re.compile(r"bytes (\d+)-\d+/(\d+|\*)$")


class BusyError(Exception):
    """A server that answers, but not now."""


RETRIED = (httpx2.TimeoutException, httpx2.NetworkError, httpx2.RemoteProtocolError, BusyError)

UNUSUAL = (
    httpx2.DecodingError,
    httpx2.InvalidURL,
    httpx2.LocalProtocolError,
    httpx2.UnsupportedProtocol,
)
"""Errors that come again however often one asks."""


class WebFiles:
    """A file of a web server and the files that travel with it.

    Attributes:
        pages: sidecars in whose place the server sends a web page.

    """

    def __init__(
        self, remote: RemoteUrl, allowed: Sequence[str] | None, limits: TransferLimits
    ) -> None:
        admit(remote, allowed)
        if not remote.name:
            msg = f"{remote.shown}: the path must end in a file name"
            raise SourceError(msg)
        self._remote = remote
        self._allowed = allowed
        self._limits = limits
        self._trust = httpx2.create_ssl_context()
        # One a host: a connection to an address was proven to be one name's, and no other's.
        self._transports: dict[str, httpx2.HTTPTransport] = {}
        self._timeout = httpx2.Timeout(
            limits.read_timeout_s, connect=limits.connect_timeout_s
        ).as_dict()
        # A server that refuses HEAD is asked for one byte.
        self._head_works = True
        self.pages: dict[str, None] = {}

    def close(self) -> None:
        """Closes all connections."""
        for transport in self._transports.values():
            transport.close()

    def stats(self) -> dict[str, Stat]:
        """The named file and its sidecars that exist, the named one first.

        Raises:
            SourceError: the named file is missing or refused.
            SourceUnreachableError: the server does not answer.

        """
        stat = self._stat(self._remote.name, named=True)
        if stat is None:
            msg = "does not exist"
            raise SourceError(msg)
        found = {self._remote.name: stat}
        for name in () if self._remote.member else candidates(self._remote.name):
            if (beside := self._stat(name, named=False)) is not None:
                found[name] = beside
        return found

    def fetch(self, name: str, file: Path, budget: Budget, told: Callable[[int], None]) -> Stat:
        """Writes one of the files to disk.

        Args:
            name: a name that :meth:`stats` told.
            file: where to.
            budget: is spent.
            told: called with every number of bytes that arrived.

        Raises:
            SourceLostError: the transfer cannot be finished, or the file changed meanwhile.
            TooLargeError: the budget is spent.

        """
        with file.open("wb") as out:
            transfer = _HttpTransfer(self, name, out, budget, told)
            try:
                for attempt in self._attempts():
                    with attempt:
                        transfer.run()
            except UNUSUAL as exc:
                msg = f"{name}: {_reason(exc)}"
                raise SourceError(msg) from exc
            except RETRIED as exc:
                msg = f"{name}: the transfer broke off after {out.tell()} bytes: {_reason(exc)}"
                raise SourceLostError(msg) from exc
        return transfer.stat

    def _stat(self, name: str, *, named: bool) -> Stat | None:
        try:
            for attempt in self._attempts():
                with attempt:
                    return self._looked(name, named=named)
        except UNUSUAL as exc:
            raise SourceError(_reason(exc)) from exc
        except RETRIED as exc:
            msg = f"{self._remote.host} does not answer: {_reason(exc)}"
            raise SourceUnreachableError(msg) from exc
        return None

    def _looked(self, name: str, *, named: bool) -> Stat | None:
        if self._head_works:
            with self.opened("HEAD", name) as response:
                status, there = response.status_code, response.is_success
                found = self._stat_unless_page(name, response, named=named)
            # Some programs tell the length of their answer to HEAD, which is nothing.
            if there and (found is None or found.size != 0):
                return found
            if not there and (status in ABSENT or not named):
                return None
        with self.opened("GET", name, {"Range": "bytes=0-0"}) as response:
            status = response.status_code
            if response.is_success or status == EMPTY:
                self._head_works = self._head_works and not named
                return self._stat_unless_page(name, response, named=named)
        if not named or status in ABSENT:
            return None
        reason = "may not be read" if status in REFUSED else "cannot be read"
        msg = f"{reason}: the server answers {status} {_phrase(status)}".rstrip()
        raise SourceError(msg)

    def _stat_unless_page(
        self, name: str, response: httpx2.Response, *, named: bool
    ) -> Stat | None:
        """Metadata of a file from the server; None for a web page in place of a sidecar."""
        page = response.headers.get("content-type", "").startswith("text/html")
        if not page or named:
            return _stat(response)
        if response.is_success:
            self.pages[name] = None
        return None

    @contextmanager
    def opened(
        self, method: str, name: str, headers: Mapping[str, str] | None = None
    ) -> Iterator[httpx2.Response]:
        """The answer of the server that redirects lead to.

        Raises:
            SourceError: a redirect leads to what is not allowed, or there are too many.
            BusyError: the server asks to come again.

        """
        target = self._address_of(name)
        for _ in range(self._limits.max_redirects + 1):
            response = self._send(method, target, headers or {})
            try:
                status = response.status_code
                if status in BUSY:
                    msg = f"{status} {_phrase(status)}"
                    raise BusyError(msg)
                if status not in REDIRECTS or "location" not in response.headers:
                    yield response
                    return
                target = self._redirected(target, response.headers["location"])
            finally:
                response.close()
        msg = f"more than {self._limits.max_redirects} redirects"
        raise SourceError(msg)

    def _redirected(self, before: RemoteUrl, location: str) -> RemoteUrl:
        try:
            target = parse(urljoin(before.url, location))
        except SourceError as exc:
            msg = f"a redirect leads to a URL that cannot be read: {exc}"
            raise SourceError(msg) from exc
        if not target.is_web or (before.scheme == "https" and target.scheme != "https"):
            msg = f"a redirect leads from {before.scheme} to {target.scheme}"
            raise SourceError(msg)
        try:
            admit(target, self._allowed)
        except SourceError as exc:
            msg = f"a redirect is refused: {exc}"
            raise SourceError(msg) from exc
        return target

    def _send(self, method: str, target: RemoteUrl, headers: Mapping[str, str]) -> httpx2.Response:
        """Sends a request to an address that was judged, not to a name that may change."""
        found = addresses.resolve(target.host, target.port or 0, local=self._local(target))
        parts = urlsplit(target.url)
        sent = {
            "Host": _authority(target.host, None if target.is_default_port else target.port),
            "User-Agent": "spatial_pipeline",
            "Accept": "*/*",
            "Accept-Encoding": "identity",
            **self._authorization(target),
            **headers,
        }
        lost: httpx2.TransportError | None = None
        for address in found:
            place = _authority(address, target.port)
            url = urlunsplit((target.scheme, place, parts.path, parts.query, ""))
            extensions = {"timeout": self._timeout, "sni_hostname": target.host}
            request = httpx2.Request(method, url, headers=sent, extensions=extensions)
            try:
                response = self._transport_to(target).handle_request(request)
            except (httpx2.ConnectError, httpx2.ConnectTimeout) as exc:
                lost = exc
                continue
            response.request = request
            return response
        raise lost or BusyError("no address")

    def _transport_to(self, target: RemoteUrl) -> httpx2.HTTPTransport:
        if target.host not in self._transports:
            self._transports[target.host] = httpx2.HTTPTransport(verify=self._trust)
        return self._transports[target.host]

    def _local(self, target: RemoteUrl) -> bool:
        """True when this machine and its wire may be asked.

        With a list of allowed sources, when the list names the address itself; without one, when
        the contract does: a redirect must not lead from the network to this machine.
        """
        if self._allowed is not None:
            return names_an_address(target)
        return target.host == self._remote.host

    def _authorization(self, target: RemoteUrl) -> dict[str, str]:
        """User and password of the URI, for the server of the URI only."""
        parts = urlsplit(self._remote.url)
        same = (target.scheme, target.host, target.port) == (
            self._remote.scheme,
            self._remote.host,
            self._remote.port,
        )
        if not same or parts.username is None:
            return {}
        pair = f"{unquote(parts.username)}:{unquote(parts.password or '')}"
        return {"Authorization": f"Basic {b64encode(pair.encode()).decode()}"}

    def _address_of(self, name: str) -> RemoteUrl:
        if name == self._remote.name:
            return self._remote
        parts = urlsplit(self._remote.url)
        path = f"{parts.path.rpartition('/')[0]}/{quote(name)}"
        url = urlunsplit((parts.scheme, parts.netloc, path, parts.query, ""))
        beside = replace(self._remote, path=path, url=url)
        admit(beside, self._allowed)
        return beside

    def _attempts(self) -> Attempts:
        return attempts(RETRIED, self._limits)


class _HttpTransfer:
    """One file on its way; what arrived is kept when the connection breaks."""

    def __init__(
        self,
        files: WebFiles,
        name: str,
        out: BinaryIO,
        budget: Budget,
        told: Callable[[int], None],
    ) -> None:
        self._files = files
        self._name = name
        self._out = out
        self._budget = budget
        self._told = told
        self._first: Stat | None = None
        self._resumable = False

    @property
    def stat(self) -> Stat:
        """Metadata that the server sent with the first byte."""
        return self._first or Stat()

    def run(self) -> None:
        """Transfers what is missing."""
        done = self._out.tell()
        if done and not self._resumable:
            done = self._restart(done)
        headers = {}
        if done and self.stat.strong_etag is not None:
            headers = {"Range": f"bytes={done}-", "If-Range": self.stat.strong_etag}
        with self._files.opened("GET", self._name, headers) as response:
            stat = _stat(response)
            if self._first is not None and self._first.differs(stat):
                raise SourceLostError(self._changed)
            if response.status_code == HTTPStatus.PARTIAL_CONTENT and headers:
                place = _RANGE.match(response.headers.get("content-range", ""))
                if place is None or int(place[1]) != done:
                    raise SourceLostError(self._changed)
            elif response.status_code == HTTPStatus.OK:
                done = self._restart(done)
            else:
                status = response.status_code
                msg = f"{self._name}: the server answers {status} {_phrase(status)} now"
                raise SourceLostError(msg)
            self._first = self._first or stat
            encoded = response.headers.get("content-encoding", "identity") != "identity"
            self._resumable = stat.strong_etag is not None and not encoded
            if stat.size is not None:
                self._budget.check(self._budget.spent - done + stat.size)
            for chunk in response.iter_bytes() if encoded else response.iter_raw():
                self._budget.spend(len(chunk))
                self._out.write(chunk)
                self._told(len(chunk))
        self._whole(None if encoded else stat.size)

    def _whole(self, size: int | None) -> None:
        """Refuses a file that is shorter than the server said."""
        if size is not None and self._out.tell() != size:
            msg = f"{self._out.tell()} of {size} bytes came"
            raise httpx2.RemoteProtocolError(msg)

    def _restart(self, done: int) -> int:
        self._budget.spend(-done)
        self._told(-done)
        self._out.seek(0)
        self._out.truncate()
        return 0

    @property
    def _changed(self) -> str:
        return f"{self._name} changed while it was read: run again"


def _authority(host: str, port: int | None) -> str:
    host = f"[{host}]" if ":" in host else host
    return host if port is None else f"{host}:{port}"


def _stat(response: httpx2.Response) -> Stat:
    headers = response.headers
    length = headers.get("content-length", "")
    size = int(length) if length.isdecimal() else None
    if "content-range" in headers:
        total = headers["content-range"].rpartition("/")[2]
        size = int(total) if total.isdecimal() else None
    elif response.status_code != HTTPStatus.OK:
        size = None
    if headers.get("content-encoding", "identity") != "identity":
        size = None
    return Stat(size, headers.get("etag"), _date(headers, "last-modified"), _date(headers, "date"))


def _date(headers: Mapping[str, str], name: str) -> datetime | None:
    try:
        found = parsedate_to_datetime(headers[name])
    except (KeyError, ValueError):
        return None
    return found if found.tzinfo is not None else found.replace(tzinfo=UTC)


def _phrase(status: int) -> str:
    return HTTPStatus(status).phrase if status in HTTPStatus.__members__.values() else ""


def _reason(exc: Exception) -> str:
    """Error in words, without the address."""
    if isinstance(exc, httpx2.TimeoutException):
        kind = "connection" if isinstance(exc, httpx2.ConnectTimeout) else "answer"
        return f"no {kind} in time"
    return str(exc) or type(exc).__name__
