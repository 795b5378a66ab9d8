"""Addresses of tables: what to connect to, what may be shown of it, and what is allowed."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any
from urllib.parse import parse_qsl, quote, unquote, urlencode, urlsplit

from spatial_pipeline.contract import remote_url
from spatial_pipeline.errors import SourceError

CONFIGURED = "postgresql:"
"""The URI that means the server of SPATIAL_DATABASE_URL."""
DEFAULT_PORT = "5432"
_SCHEME = re.compile(r"^postgres(ql)?:", re.IGNORECASE)
_PLACE = {"host", "port", "dbname", "database"}
_REFUSED = {"service", "servicefile", "hostaddr"}
"""Parameters that would lead to another server than the one that is seen."""


@dataclass(frozen=True)
class Place:
    """Servers, database and table, without any secret.

    Attributes:
        hosts: ``host:port`` of every server that may be tried; empty for the local default.
        database: name of the database, empty for the default one.
        table: the table that the address names, None when it names none.

    """

    hosts: tuple[str, ...]
    database: str
    table: str | None = None

    def __str__(self) -> str:
        text = f"postgresql://{','.join(self.hosts)}/{quote(self.database, safe='')}"
        return text if self.table is None else f"{text}?table={quote(self.table, safe='.')}"


@dataclass(frozen=True)
class Address:
    """A database, and the table that its URI names.

    Attributes:
        shown: the URI as the contract names it, without user, password and other parameters.
        place: where it leads.
        configured: True when it is the server of SPATIAL_DATABASE_URL.
        dsn: libpq URI with everything that is needed to connect.

    """

    shown: str
    place: Place
    configured: bool
    dsn: str = field(repr=False)

    def scrubbed(self, text: str) -> str:
        """A message without the secrets of the address."""
        for secret in _secrets(self.dsn):
            text = text.replace(secret, "***")
        return text


def is_database(uri: str) -> bool:
    """True for ``postgresql:`` and ``postgres:`` URIs."""
    return _SCHEME.match(uri) is not None


def redacted(uri: str) -> str:
    """The URI without user, password and parameters; paths as they are."""
    if not is_database(uri):
        return remote_url.redacted(uri)
    head, mark, parameters = uri.partition("?")
    table = _parameters(parameters).get("table") if mark else None
    tail = "" if table is None else f"?table={quote(table, safe='.')}"
    scheme, slashes, rest = head.partition("//")
    if not slashes:
        return CONFIGURED + tail
    location, slash, path = rest.rpartition("@")[2].partition("/")
    return f"{scheme}//{location}{slash}{path}{tail}"


def redacted_all(value: Any) -> Any:
    """A JSON value with every URI in it redacted."""
    if isinstance(value, str):
        return redacted(value)
    if isinstance(value, dict):
        return {k: redacted_all(v) for k, v in value.items()}
    return [redacted_all(v) for v in value] if isinstance(value, list | tuple) else value


def parse(uri: str, configured: str | None) -> Address:
    """Takes a URI apart.

    Args:
        uri: ``postgresql:``, or a libpq URI; either may end with ``?table=schema.name``.
        configured: SPATIAL_DATABASE_URL.

    Raises:
        SourceError: the URI is malformed, or leads to a server that is not configured.

    """
    head, _, text = uri.partition("?")
    parameters = _parameters(text)
    table = parameters.pop("table", None)
    is_configured = head.casefold() in {"postgresql:", "postgres:"}
    if is_configured:
        if parameters:
            names = ", ".join(sorted(parameters))
            msg = f"{CONFIGURED} takes the parameter table only, not {names}"
            raise SourceError(msg)
        if not configured:
            msg = f"{CONFIGURED} means the server of SPATIAL_DATABASE_URL, which is not set"
            raise SourceError(msg)
        dsn = configured
    else:
        if not re.match(r"postgres(ql)?://", head, re.IGNORECASE):
            msg = "write postgresql: or postgresql://user@host:port/database"
            raise SourceError(msg)
        dsn = head.replace(head.split(":", 1)[0], "postgresql", 1)
        dsn += f"?{urlencode(parameters)}" if parameters else ""
    place = _place(dsn, table)
    return Address(redacted(uri), place, is_configured, dsn)


def admit(address: Address, table: str | None, allowed: Sequence[str] | None) -> None:
    """Refuses a database or a table that is not among the allowed sources.

    Args:
        address: what is to be read.
        table: ``schema.name`` that is to be read, None for a query, which may read any table.
        allowed: entries of SPATIAL_ALLOWED_SOURCES: ``postgresql:`` admits the configured
            server, ``postgresql://host[:port][/database][?table=schema.name]`` what it names.

    Raises:
        SourceError: no entry admits it.

    """
    if allowed is None:
        return
    for entry in (e for e in allowed if is_database(e)):
        if entry.casefold().rstrip("/") == CONFIGURED:
            if address.configured:
                return
            continue
        try:
            fence = parse(entry, None).place
        except SourceError:
            continue
        if (
            set(address.place.hosts) <= set(fence.hosts)
            and fence.database in {"", address.place.database}
            and fence.table in {None, table}
        ):
            return
    msg = "the database lies outside of the allowed sources (SPATIAL_ALLOWED_SOURCES)"
    raise SourceError(msg)


def _parameters(text: str) -> dict[str, str]:
    pairs = parse_qsl(text, keep_blank_values=True)
    return dict(pairs)


def _place(dsn: str, table: str | None) -> Place:
    try:
        parts = urlsplit(dsn)
        given = _parameters(parts.query)
    except ValueError as exc:
        msg = "the address of the database cannot be understood"
        raise SourceError(msg) from exc
    refused = sorted(_REFUSED & given.keys())
    if refused:
        msg = f"the parameter {refused[0]} is not supported: name host, port and database"
        raise SourceError(msg)
    location = parts.netloc.rpartition("@")[2]
    database = unquote(parts.path.removeprefix("/"))
    for name in sorted(_PLACE & given.keys()):
        said = database if name in {"dbname", "database"} else location
        if said:
            msg = f"{name} is given twice: in the address and as a parameter"
            raise SourceError(msg)
    location = location or given.get("host", "")
    database = database or given.get("dbname", given.get("database", ""))
    port = given.get("port", DEFAULT_PORT)
    hosts = tuple(_host(h, port) for h in location.split(",") if h)
    return Place(hosts, database, table)


def _host(text: str, port: str) -> str:
    """``host:port``, spelled in one way."""
    text = unquote(text)
    bracket = text.rfind("]")
    if ":" not in text[bracket + 1 :]:
        text = f"{text}:{port}"
    return text.casefold()


def _secrets(dsn: str) -> list[str]:
    """Everything in an address that must not be shown, longest first."""
    parts = urlsplit(dsn)
    user_info = parts.netloc.rpartition("@")[0]
    raw = user_info.partition(":")[2]
    given = _parameters(parts.query)
    found = {dsn, raw, unquote(raw), given.get("password", ""), given.get("sslpassword", "")}
    return sorted((f for f in found if f), key=len, reverse=True)
