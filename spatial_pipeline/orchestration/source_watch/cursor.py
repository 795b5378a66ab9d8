"""Cursor of a source sensor, and the conclusions from a new snapshot of the source.

Stored as the sensor's cursor: JSON that a person can read in Dagster's UI.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass, field

from spatial_pipeline.runtime.json_text import json_text

WHOLE = ""
"""Key of a dataset without partitions."""
LETTERS = 16
"""Characters of a token that are kept: 64 bits."""


@dataclass(frozen=True)
class Cursor:
    """The last states of a source.

    Attributes:
        since: time of the sensor's first tick, in seconds; resetting the cursor resets it.
        seen: partition → token of the state that was announced last, and how many were before it.
        waiting: partition → token of a state that was seen once and must be seen again.

    """

    since: int
    seen: Mapping[str, tuple[str, int]] = field(default_factory=dict)
    waiting: Mapping[str, str] = field(default_factory=dict)

    def dumped(self) -> str:
        """As the text that Dagster keeps."""
        return json_text(
            {"since": self.since, "seen": self.seen, "waiting": self.waiting}, sort_keys=True
        )

    @classmethod
    def loaded(cls, text: str | None, now: int) -> Cursor:
        """The stored cursor; a new one when none is stored or it is unreadable."""
        try:
            kept = json.loads(text or "")
            seen = {str(k): (str(t), int(n)) for k, (t, n) in kept["seen"].items()}
            waiting = {str(k): str(t) for k, t in kept["waiting"].items()}
            return cls(int(kept["since"]), seen, waiting)
        except (ValueError, KeyError, TypeError, AttributeError):
            return cls(now)


@dataclass(frozen=True)
class SourceChange:
    """A source that is new or changed, once.

    Attributes:
        key: partition, :data:`WHOLE` without partitions.
        token: its state.
        number: how many states of this partition were announced before.

    """

    key: str
    token: str
    number: int


@dataclass(frozen=True)
class Conclusion:
    """Conclusions from one snapshot.

    Attributes:
        cursor: the new cursor.
        changes: changes to announce now, in the order of the keys.
        unsettled: partitions whose state must be seen once more.
        deferred: partitions that changed and must wait for the next snapshot.
        gone: partitions that were announced and no longer exist.

    """

    cursor: Cursor
    changes: tuple[SourceChange, ...]
    unsettled: tuple[str, ...]
    deferred: tuple[str, ...]
    gone: tuple[str, ...]


def conclude(cursor: Cursor, tokens: Mapping[str, str], most: int, *, settles: bool) -> Conclusion:
    """Compares a snapshot with the cursor.

    Args:
        cursor: the cursor.
        tokens: partition → token of every source that exists now.
        most: changes that may be announced at once.
        settles: True when a source may be seen half-written, so that a new state counts only when
            two consecutive snapshots agree.

    """
    seen, waiting = dict(cursor.seen), dict(cursor.waiting)
    changes: list[SourceChange] = []
    unsettled: list[str] = []
    deferred: list[str] = []
    for key in sorted(tokens):
        token = tokens[key][:LETTERS]
        known, number = seen.get(key, (None, 0))
        if token == known:
            waiting.pop(key, None)
        elif settles and waiting.get(key) != token:
            waiting[key] = token
            unsettled.append(key)
        elif len(changes) == most:
            deferred.append(key)
        else:
            changes.append(SourceChange(key, token, number))
            seen[key] = (token, number + 1)
            waiting.pop(key, None)
    gone = [k for k in seen if k not in tokens]
    for key in waiting.keys() - tokens.keys():
        del waiting[key]
    return Conclusion(
        Cursor(cursor.since, seen, waiting),
        tuple(changes),
        tuple(unsettled),
        tuple(deferred),
        tuple(sorted(gone)),
    )
