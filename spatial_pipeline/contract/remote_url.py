"""URIs of remote files: parsing, redaction for messages, and the allow-list."""

from __future__ import annotations

import ipaddress
import re
from collections.abc import Sequence
from dataclasses import dataclass, field
from urllib.parse import SplitResult, unquote, urlsplit, urlunsplit

from spatial_pipeline.contract.spelling import closest
from spatial_pipeline.errors import SourceError

WEB = ("http", "https")
STORES = ("s3", "gs", "az")
KNOWN = (*WEB, *STORES, "postgresql", "package")
"""Schemes of a source; a path has none."""
PORTS = {"http": 80, "https": 443}
HIDDEN = "***"
ALIASES = {
    "s3a": "s3", "s3n": "s3", "gcs": "gs", "azure": "az", "abfs": "az", "abfss": "az", "wasb": "az",
    "wasbs": "az", "adl": "az",
}  # fmt: skip
"""Scheme names of other programs for the object stores."""
_SCHEME = re.compile(r"^([A-Za-z][A-Za-z0-9+.-]+):(//)?")
_REMOTE = re.compile(rf"^({'|'.join((*WEB, *STORES))})://", re.IGNORECASE)
_CONTROL = re.compile(r"[\x00-\x20\x7f]")


@dataclass(frozen=True)
class RemoteUrl:
    """A file on another machine.

    Attributes:
        scheme: http, https, s3, gs or az.
        host: server, or bucket or container of an object store.
        port: port of a server; None for object stores.
        path: as the URL has it: percent-encoded for a server, the key for an object store.
        member: member of the zip archive that the path names, None outside of archives.
        shown: the URL without user, password and parameters.
        url: all that is needed to ask for it, without the member.

    """

    scheme: str
    host: str
    port: int | None
    path: str
    member: str | None
    shown: str
    url: str = field(repr=False)

    @property
    def name(self) -> str:
        """Name of the file."""
        name = self.path.rsplit("/", 1)[-1]
        return unquote(name) if self.scheme in WEB else name

    @property
    def is_default_port(self) -> bool:
        """True when a server is asked at the port of its scheme."""
        return self.port == PORTS.get(self.scheme)

    @property
    def is_web(self) -> bool:
        """True for http and https."""
        return self.scheme in WEB


def is_remote(uri: str) -> bool:
    """True for http, https, s3, gs and az URLs."""
    return _REMOTE.match(uri) is not None


def is_web(uri: str) -> bool:
    """True for http and https URLs."""
    return is_remote(uri) and uri[:4].casefold() == "http"


def redacted(uri: str) -> str:
    """The URL without user, password and parameters; other URIs as they are.

    Parameters go as a whole: a signed URL is a password.
    """
    if not is_remote(uri):
        return uri
    scheme, _, rest = uri.partition("://")
    location, slash, path = rest.partition("/")
    location = location.partition("?")[0].partition("#")[0].rpartition("@")[2]
    if scheme.casefold() in WEB:
        # A password with a slash in it looks like the start of the path.
        if "@" in path.partition("?")[0] and ":" in rest.partition("/")[0]:
            location, slash, path = HIDDEN, "", ""
        path = path.partition("#")[0]
        path, mark, parameters = path.partition("?")
        inner = re.split(r"\.zip!|^\*\*\*!", parameters, maxsplit=1)[1:]
        path += (f"?{HIDDEN}" if mark else "") + "".join(f"!{i}" for i in inner)
    return f"{scheme}://{location}{slash}{path}"


def mistake(uri: str) -> str | None:
    """Why a URI of a contract can be no source, whatever there is; None when it may be one."""
    if _REMOTE.match(uri):
        try:
            parse(uri)
        except SourceError as exc:
            return str(exc)
        return None
    if uri.startswith("/vsi"):
        return "GDAL's virtual paths are not supported: write the path or the URL itself"
    match = _SCHEME.match(uri)
    if match is None:
        return None
    scheme = match[1].casefold()
    if scheme in {"postgresql", "postgres", "package"}:
        return None
    if scheme in {*WEB, *STORES}:
        return f"write {scheme}:// and then the address"
    if scheme == "file":
        return "write the path itself, without file:"
    near = closest(ALIASES.get(scheme, scheme), KNOWN)
    known = ", ".join(f"{k}:" for k in KNOWN)
    hint = near.hint.replace(f"{near.word!r}", f"{str(near.word) + ':'!r}")
    return f"unknown scheme {match[1] + ':'!r}{hint or f'; known are {known} and paths'}"


def possible(uri: str) -> str:
    """The URI of a contract, once it may be a source.

    Raises:
        ValueError: it can be none, whatever there is; see :func:`mistake`.

    """
    if (text := mistake(uri)) is not None:
        raise ValueError(text)
    return uri


def parse(uri: str) -> RemoteUrl:
    """Takes a URL apart.

    Raises:
        SourceError: it is malformed, or holds credentials that belong elsewhere.

    """
    shown = redacted(uri)
    if not is_remote(uri):
        msg = f"{shown} is not the URL of a remote file"
        raise SourceError(msg)
    scheme = uri.partition("://")[0].casefold()
    if scheme in STORES:
        return _object(scheme, uri.partition("://")[2], shown)
    return _web(uri, shown)


def admit(remote: RemoteUrl, allowed: Sequence[str] | None) -> None:
    """Refuses what is not below one of the allowed prefixes.

    Args:
        remote: file to read.
        allowed: entries of SPATIAL_ALLOWED_SOURCES; those of this scheme admit the same server
            and port, or the same bucket, and every path below theirs.

    Raises:
        SourceError: no entry admits it.

    """
    if allowed is None:
        return
    for entry in allowed:
        if not is_remote(entry):
            continue
        try:
            fence = parse(entry)
        except SourceError:
            continue
        same = (fence.scheme, fence.host, fence.port) == (remote.scheme, remote.host, remote.port)
        if same and _below(_plain_path(remote), _plain_path(fence)):
            return
    msg = f"{remote.shown} lies outside of the allowed sources (SPATIAL_ALLOWED_SOURCES)"
    raise SourceError(msg)


def names_an_address(remote: RemoteUrl) -> bool:
    """True when the host is ``localhost`` or an IP address, so it cannot mean another machine."""
    if remote.host == "localhost":
        return True
    try:
        ipaddress.ip_address(remote.host)
    except ValueError:
        return False
    return True


def _web(uri: str, shown: str) -> RemoteUrl:
    if _CONTROL.search(uri):
        msg = f"{_CONTROL.sub('?', shown)}: write blanks and control characters as %20 and so on"
        raise SourceError(msg)
    try:
        parts = urlsplit(uri)
        host, port = (parts.hostname or "").rstrip("."), parts.port
        host = host if host.isascii() else host.encode("idna").decode()
    except ValueError as exc:
        msg = f"{shown}: the URL cannot be parsed"
        raise SourceError(msg) from exc
    if not host or "{" in host or "\\" in uri or "%" in host:
        msg = f"{shown}: a server name must follow {parts.scheme}://"
        raise SourceError(msg)
    path, _, member = parts.path.partition(".zip!")
    query = parts.query
    if member:
        path, member = path + ".zip", unquote(member)
    elif ".zip!" in query:
        query, _, member = query.partition(".zip!")
        query, member = query + ".zip", unquote(member)
    if shown.endswith(f"//{HIDDEN}"):
        msg = f"{shown}: write @ in a password or a path as %40, / in a password as %2F"
        raise SourceError(msg)
    if _climbs(unquote(path)):
        msg = f"{shown}: .. cannot be part of the path"
        raise SourceError(msg)
    clean = SplitResult(parts.scheme, parts.netloc, path or "/", query, "")
    return RemoteUrl(
        scheme=parts.scheme,
        host=host,
        port=port or PORTS[parts.scheme],
        path=path,
        member=member or None,
        shown=shown,
        url=urlunsplit(clean),
    )


def _object(scheme: str, rest: str, shown: str) -> RemoteUrl:
    bucket, _, key = rest.partition("/")
    if "@" in bucket or ":" in bucket:
        msg = f"{shown}: credentials belong in the environment, not in the uri"
        raise SourceError(msg)
    if not bucket or "{" in bucket or "\0" in rest:
        msg = f"{shown}: a bucket name must follow {scheme}://"
        raise SourceError(msg)
    path, mark, member = key.partition(".zip!")
    path = path + ".zip" if mark else path
    if _climbs(path) or "//" in path:
        msg = f"{shown}: .. and empty names cannot be part of the path"
        raise SourceError(msg)
    url = f"{scheme}://{bucket}/{path}"
    return RemoteUrl(scheme, bucket, None, path, member or None, shown, url)


def _climbs(path: str) -> bool:
    return bool({".", ".."} & set(re.split(r"[/\\]", path)))


def _plain_path(remote: RemoteUrl) -> str:
    path = unquote(remote.path) if remote.is_web else remote.path
    return path.strip("/") if remote.is_web else path.rstrip("/")


def _below(path: str, prefix: str) -> bool:
    return not prefix or path == prefix or path.startswith(f"{prefix}/")
