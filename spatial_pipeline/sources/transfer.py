"""Transfer of remote sources: metadata, download, and the same fingerprint as local files."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, replace
from datetime import UTC
from pathlib import Path, PurePosixPath
from typing import Protocol

from spatial_pipeline.contract.remote_url import RemoteUrl, admit, parse
from spatial_pipeline.errors import SourceError, SourceLostError
from spatial_pipeline.sources.http import WebFiles
from spatial_pipeline.sources.limits import DEFAULTS, Budget, TooLargeError, TransferLimits
from spatial_pipeline.sources.object_store import StoredFiles, listed
from spatial_pipeline.sources.sidecars import candidates, wanted
from spatial_pipeline.sources.transfer_stats import Stat, changed, token_of

Progress = Callable[[int, int | None], None]
PAGES = frozenset({".html", ".htm", ".xhtml"})
"""Endings of files that are web pages."""
NAMED = 5
"""Files that a note names."""
HEAD_BYTES = 512
"""Bytes in which a web page shows that it is one."""


class Files(Protocol):
    """The files of one source where they are.

    Attributes:
        pages: sidecars in whose place the server sends a web page.

    """

    pages: dict[str, None]

    def stats(self) -> dict[str, Stat]:
        """All of them, the named one first."""

    def fetch(self, name: str, file: Path, budget: Budget, told: Callable[[int], None]) -> Stat:
        """Writes one of them to disk."""

    def close(self) -> None:
        """Closes all connections."""


@dataclass(frozen=True)
class RemoteSource:
    """A source on another machine, as it is now.

    Attributes:
        url: its address.
        stats: metadata of its files from the server, the named one first.

    """

    url: RemoteUrl
    stats: dict[str, Stat]
    _files: Files
    _limits: TransferLimits

    @property
    def token(self) -> str | None:
        """Changes when the source changes; None when the server tells nothing."""
        return token_of(self.stats)

    @property
    def proof(self) -> str | None:
        """A token that means the same bytes whenever it comes again; None when nothing does."""
        return self.token if all(s.proven for s in self.stats.values()) else None

    @property
    def last_change(self) -> str | None:
        """Time of the last change of any of its files, ISO 8601 in UTC; None if one is unknown."""
        times = [s.modified for s in self.stats.values()]
        known = [t.astimezone(UTC) for t in times if t is not None]
        if not known or len(known) < len(times):
            return None
        return max(known).isoformat(timespec="seconds")

    @property
    def notes(self) -> tuple[str, ...]:
        """Notes on the files; complete after they were fetched."""
        names = list(self._files.pages)
        if not names:
            return ()
        listed = ", ".join(names[:NAMED])
        more = f" and {len(names) - NAMED} more" if len(names) > NAMED else ""
        return (f"the server sends a web page in place of {listed}{more}: left out",)

    def fetch(self, folder: Path, progress: Progress | None = None) -> Path:
        """Brings all files into a folder, under their names; returns the named one.

        Raises:
            SourceError: they are larger than the limit, one has a name that no file can have, or
                the server sends a web page in place of the named one.
            SourceLostError: a transfer cannot be finished, or a file changed meanwhile.

        """
        budget = Budget(self._limits)
        sizes = [s.size for s in self.stats.values()]
        total = None if None in sizes else sum(s or 0 for s in sizes)
        come = 0

        def told(count: int) -> None:
            nonlocal come
            come += count
            if progress is not None:
                progress(come, total)

        came = {}
        try:
            budget.check(total or 0)
            for name, stat in self.stats.items():
                file = _inside(folder, name)
                came[name] = self._files.fetch(name, file, budget, told)
                if stat.size not in (None, file.stat().st_size):
                    msg = f"{name}: {file.stat().st_size} of {stat.size} bytes came: run again"
                    raise SourceLostError(msg)
        except TooLargeError as exc:
            raise SourceError(str(exc)) from exc
        # All files must come from the same state, and none may be rewritten in place meanwhile.
        other = changed(self.stats, came) or changed(self.stats, self._again())
        if other is not None:
            msg = f"{other} changed while it was read: run again"
            raise SourceLostError(msg)
        self._without_pages(folder)
        return _inside(folder, self.url.name)

    def _without_pages(self, folder: Path) -> None:
        """Takes away web pages that came in place of sidecars, whatever the server calls them."""
        for name in self.stats:
            file = _inside(folder, name)
            if PurePosixPath(name).suffix.casefold() in PAGES or not _is_page(file):
                continue
            if name == self.url.name:
                msg = "the server sends a web page instead of the file"
                raise SourceError(msg)
            file.unlink()
            self._files.pages[name] = None

    def _again(self) -> dict[str, Stat]:
        try:
            return self._files.stats()
        except SourceError as exc:
            msg = f"{self.url.name} disappeared while it was read: {exc}"
            raise SourceLostError(msg) from exc


@contextmanager
def remote(
    uri: str, allowed: Sequence[str] | None, limits: TransferLimits
) -> Iterator[RemoteSource]:
    """A source on another machine; what is not allowed is not asked for.

    Args:
        uri: http, https, s3, gs or az URL.
        allowed: entries of SPATIAL_ALLOWED_SOURCES; see
            :func:`spatial_pipeline.contract.remote_url.admit`.
        limits: limits of requests and transfers.

    Raises:
        SourceError: it is missing, refused or too large.
        SourceUnreachableError: the server does not answer.

    """
    url = parse(uri)
    files = _files(url, allowed, limits)
    try:
        yield RemoteSource(url, files.stats(), files, limits)
    finally:
        files.close()


def remote_state(
    uri: str, allowed: Sequence[str] | None = None, limits: TransferLimits = DEFAULTS
) -> str:
    """A token that changes when a source on another machine changes; nothing is transferred.

    It is made of entity tag, time of change and size of every file of the source, as HEAD, a
    request for one byte or a listing tells them.

    Raises:
        SourceError: it is missing or refused, or the server tells nothing of it.
        SourceUnreachableError: the server does not answer.

    """
    with remote(uri, allowed, limits) as found:
        if found.token is None:
            msg = f"{found.url.shown}: the server sends neither ETag nor Last-Modified nor a length"
            raise SourceError(msg)
        return found.token


def remote_keys(
    uri: str,
    fits: Callable[[str, str], str | None],
    placeholder: str,
    allowed: Sequence[str] | None = None,
    limits: TransferLimits = DEFAULTS,
) -> dict[str, str]:
    """Partition keys that an object store holds, with the tokens of :func:`remote_state`.

    Args:
        uri: URL with the placeholder in its path.
        fits: from a pattern and a name to the key that makes the name of the pattern.
        placeholder: text that stands for the key.
        allowed: see :func:`remote`.
        limits: limits of requests.

    Raises:
        SourceError: it may not be listed, or cannot be: web servers tell no names.
        SourceUnreachableError: the store does not answer.

    """
    url = parse(uri)
    if url.is_web:
        msg = f"{url.shown}: the partitions on a web server cannot be listed"
        raise SourceError(msg)
    if placeholder not in url.path:
        msg = f"{url.shown}: {placeholder} must be part of the path, not of the archive"
        raise SourceError(msg)
    folder = url.path.partition(placeholder)[0].rpartition("/")[0]
    admit(replace(url, path=folder), allowed)
    folders: dict[str, dict[str, Stat]] = {}
    for path, stat in listed(url, folder, limits):
        parent, _, name = path.rpartition("/")
        folders.setdefault(parent, {})[name] = stat
    tokens = {}
    for parent, beside in folders.items():
        for name in beside:
            path = f"{parent}/{name}" if parent else name
            key = fits(url.path, path)
            token = None if key is None else token_of(_together(name, beside, url.member))
            if key is not None and token is not None:
                tokens[key] = token
    return dict(sorted(tokens.items()))


def _together(name: str, beside: dict[str, Stat], member: str | None) -> dict[str, Stat]:
    """A file and its sidecars among the files of its folder."""
    names = wanted(name) if member is None and candidates(name) else ()
    return {name: beside[name], **{n: s for n, s in beside.items() if n.casefold() in names}}


def _files(url: RemoteUrl, allowed: Sequence[str] | None, limits: TransferLimits) -> Files:
    if url.is_web:
        return WebFiles(url, allowed, limits)
    return StoredFiles(url, allowed, limits)


def _is_page(file: Path) -> bool:
    """True for a text that begins as web pages do."""
    with file.open("rb") as opened:
        head = opened.read(HEAD_BYTES)
    text = head.removeprefix(b"\xef\xbb\xbf").lstrip().lower()
    return text.startswith((b"<!doctype html", b"<html"))


def _inside(folder: Path, name: str) -> Path:
    """The file of this name in the folder, never elsewhere."""
    file = folder / name
    if file.parent != folder or file.name != name or "\0" in name or name.startswith("."):
        msg = f"{name!r} is not a file name"
        raise SourceError(msg)
    return file


__all__ = [
    "DEFAULTS",
    "RemoteSource",
    "Stat",
    "TransferLimits",
    "remote",
    "remote_keys",
    "remote_state",
]
