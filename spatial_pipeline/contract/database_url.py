"""URIs of database tables: parsing, redaction for messages, and the allow-list."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any
from urllib.parse import quote, unquote

from spatial_pipeline.contract import remote_url
from spatial_pipeline.contract.connection_parameters import (
    ConnectionParameters,
    completed,
    connection_parameters,
    parsed,
)
from spatial_pipeline.errors import SourceError

CONFIGURED = "postgresql:"
"""The URI that means the server of SPATIAL_DATABASE_URL."""
APPLICATION = "spatial_pipeline source"
_SCHEME = re.compile(r"^postgres(ql)?:", re.IGNORECASE)


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
        connection: the same, taken apart.
        secrets: texts that must not be shown, longest first.

    """

    shown: str
    place: Place
    configured: bool
    dsn: str = field(repr=False)
    connection: ConnectionParameters = field(repr=False)
    secrets: tuple[str, ...] = field(repr=False)

    def scrubbed(self, text: str) -> str:
        """A message without the secrets of the address."""
        for secret in self.secrets:
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
    table = _split(parameters)[0] if mark else None
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


def parse(uri: str, configured: str | None, application: str = APPLICATION) -> Address:
    """Takes a URI apart.

    Args:
        uri: ``postgresql:``, or a libpq URI; either may end with ``?table=schema.name``.
        configured: SPATIAL_DATABASE_URL: a libpq URI, or libpq's ``key=value`` pairs.
        application: ``application_name`` where the address gives none.

    Raises:
        SourceError: the URI is malformed, leads to a server that is not configured, or asks for
            what cannot be done.

    """
    head, _, text = uri.partition("?")
    table, rest = _split(text)
    is_configured = head.casefold() in {"postgresql:", "postgres:"}
    if is_configured:
        if rest:
            names = ", ".join(sorted({unquote(r.partition("=")[0]) for r in rest}))
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
        _refuse_twice(dsn, rest)
        dsn += f"?{'&'.join(rest)}" if rest else ""
    given = parsed(dsn)
    found = completed(given, trusted=is_configured)
    connection = connection_parameters(found, application)
    # An entry of the allowed sources that names no database admits all, whatever PGDATABASE says.
    database = given.get("dbname") or (connection.database if is_configured else None)
    place = Place(tuple(_shown(*h) for h in connection.hosts), database or "", table)
    return Address(redacted(uri), place, is_configured, dsn, connection, _secrets(dsn, found))


def admit(address: Address, table: str | None, allowed: Sequence[str] | None) -> None:
    """Refuses a database or a table that is not among the allowed sources.

    Args:
        address: database to read.
        table: ``schema.name`` to read, None for a query, which may read any table.
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
        hosts, admitted = set(address.place.hosts), set(fence.hosts)
        if (
            (hosts <= admitted if hosts else not admitted)
            and fence.database in {"", address.place.database}
            and fence.table in {None, table}
        ):
            return
    msg = "the database lies outside of the allowed sources (SPATIAL_ALLOWED_SOURCES)"
    raise SourceError(msg)


def _split(text: str) -> tuple[str | None, list[str]]:
    """The table of a URI's parameters, and the others as they stand there."""
    table, rest = None, []
    for pair in filter(None, text.split("&")):
        name, _, value = pair.partition("=")
        if unquote(name) == "table":
            table = unquote(value)
        else:
            rest.append(pair)
    return table, rest


def _refuse_twice(head: str, rest: Sequence[str]) -> None:
    """Refuses parameters that would lead to another server than the one that is seen.

    Raises:
        SourceError: the address and a parameter name the same thing.

    """
    given = parsed(head)
    for name in (unquote(r.partition("=")[0]) for r in rest):
        if name in given and name in {"host", "port", "dbname"}:
            msg = f"{name} is given twice: in the address and as a parameter"
            raise SourceError(msg)


def _shown(host: str, port: int) -> str:
    """``host:port``, spelled in one way."""
    if host.startswith(("/", "@")):
        return f"{host}:{port}"
    return f"[{host}]:{port}".casefold() if ":" in host else f"{host}:{port}".casefold()


def _secrets(dsn: str, found: Mapping[str, str]) -> tuple[str, ...]:
    """Everything in an address that must not be shown, longest first."""
    raw = dsn.partition("?")[0].rpartition("@")[0].partition("://")[2].partition(":")[2]
    secrets = {dsn, raw, unquote(raw), found.get("password", ""), found.get("sslpassword", "")}
    return tuple(sorted((s for s in secrets if s), key=len, reverse=True))
