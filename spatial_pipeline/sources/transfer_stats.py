"""Metadata of a remote file (tag, time, length), before and during its transfer."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta

from spatial_pipeline.runtime import hashing

SETTLED = timedelta(seconds=60)
"""A time of change says which bytes these are once it is this old (RFC 9110, 8.8.2.2)."""


@dataclass(frozen=True)
class Stat:
    """One file.

    Attributes:
        size: bytes, None when the server does not say.
        etag: entity tag as it came, ``W/`` included; None without one.
        modified: time of the last change.
        seen: time at the server when it said so.

    """

    size: int | None = None
    etag: str | None = None
    modified: datetime | None = None
    seen: datetime | None = None

    @property
    def strong_etag(self) -> str | None:
        """An entity tag that names the bytes, not only their meaning."""
        return None if self.etag is None or self.etag.startswith("W/") else self.etag

    @property
    def proven(self) -> bool:
        """True when the same words again mean the same bytes."""
        if self.strong_etag is not None:
            return True
        if self.modified is None or self.size is None:
            return False
        return (self.seen or datetime.now(UTC)) - self.modified >= SETTLED

    @property
    def token(self) -> tuple[str | None, str | None, int | None] | None:
        """Values that change with the file; None when the server sends none of them."""
        when = None if self.modified is None else self.modified.isoformat()
        if self.etag is None and when is None and self.size is None:
            return None
        return self.etag, when, self.size

    def differs(self, other: Stat) -> bool:
        """True when both cannot be of the same bytes; what one of them leaves out is ignored."""
        mine = (self.size, self.etag, self.modified)
        theirs = (other.size, other.etag, other.modified)
        return any(a != b for a, b in zip(mine, theirs, strict=True) if None not in (a, b))


def token_of(stats: Mapping[str, Stat]) -> str | None:
    """One token of all files of a source; None when nothing is known of one of them."""
    tokens = {name: s.token for name, s in stats.items()}
    return None if None in tokens.values() else hashing.fingerprint(sorted(tokens.items()))


def changed(before: Mapping[str, Stat], after: Mapping[str, Stat]) -> str | None:
    """The first file that is not what it was; None when all are."""
    for name in sorted({*before, *after}):
        if name not in before or name not in after or before[name].differs(after[name]):
            return name
    return None
