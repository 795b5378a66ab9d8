"""The queues of what is to be told, one a channel: in order, at least once, never forgotten.

Pure values. Who changes them stores them, before and after anything is sent.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace

from spatial_pipeline.alert.incidents import IncidentChange
from spatial_pipeline.runtime.hashing import fingerprint

LONGEST_QUEUE = 100
"""Messages that wait on a channel; what comes later is gathered in digests."""
LARGEST_DIGEST = 1000
"""Changes that one digest takes."""
LONGEST_WAIT_S = 600.0
DOWN_AFTER = 2
"""Failures in a row after which a channel counts as down."""


@dataclass(frozen=True)
class QueuedMessage:
    """One message for one channel.

    Attributes:
        changes: what it tells; more than one makes it a digest.
        attempts: times that sending it failed.

    """

    changes: tuple[IncidentChange, ...]
    attempts: int = 0

    @property
    def id(self) -> str:
        """The idempotency key of the message."""
        ids = [c.id for c in self.changes]
        return ids[0] if len(ids) == 1 else f"digest-{fingerprint(ids)}"


@dataclass(frozen=True)
class Queue:
    """What waits for one channel.

    Attributes:
        entries: oldest first; only the first is ever sent.
        failures: failures since the last success.
        retry_at: POSIX seconds before which nothing is tried.
        down_since: POSIX seconds of the first of these failures.
        error: what was said last.

    """

    entries: tuple[QueuedMessage, ...] = ()
    failures: int = 0
    retry_at: float = 0.0
    down_since: float | None = None
    error: str = ""

    def head(self, now: float) -> QueuedMessage | None:
        """What may be sent now."""
        return self.entries[0] if self.entries and now >= self.retry_at else None

    def delivered(self) -> Queue:
        """After the channel took the first entry."""
        return Queue(self.entries[1:])

    def failed(self, now: float, error: str, wait_s: float) -> Queue:
        """After the channel refused it: it is tried again, later and later."""
        head = replace(self.entries[0], attempts=self.entries[0].attempts + 1)
        wait = min(wait_s * 2**self.failures, max(LONGEST_WAIT_S, wait_s)) if wait_s else 0.0
        return Queue(
            entries=(head, *self.entries[1:]),
            failures=self.failures + 1,
            retry_at=now + wait,
            down_since=now if self.down_since is None else self.down_since,
            error=error,
        )

    def with_changes(self, changes: Sequence[IncidentChange], digest_above: int) -> Queue:
        """After more is to be told: one message each, or one digest when they are many."""
        if len(changes) > digest_above:
            compact = tuple(replace(c, fact=replace(c.fact, sample=())) for c in changes)
            parts = range(0, len(compact), LARGEST_DIGEST)
            fresh = [QueuedMessage(compact[i : i + LARGEST_DIGEST]) for i in parts]
        else:
            fresh = [QueuedMessage((c,)) for c in changes]
        entries = list(self.entries)
        for entry in fresh:
            # Only the first entry is ever sent: whatever stands behind it can still be changed.
            room = len(entries) > 1 and len(entries[-1].changes + entry.changes) <= LARGEST_DIGEST
            if len(entries) >= LONGEST_QUEUE and room:
                entries[-1] = QueuedMessage(entries[-1].changes + entry.changes)
            else:
                entries.append(entry)
        return replace(self, entries=tuple(entries))


@dataclass(frozen=True)
class Outbox:
    """All queues, by the name of the channel."""

    queues: Mapping[str, Queue] = field(default_factory=dict)

    def __getitem__(self, channel: str) -> Queue:
        return self.queues.get(channel, Queue())

    def replaced(self, channel: str, queue: Queue) -> Outbox:
        """With another queue for a channel; one that says nothing is left out."""
        queues = {**self.queues, channel: queue}
        return Outbox({name: q for name, q in queues.items() if q != Queue()})

    def with_changes(
        self, told: Mapping[str, Sequence[IncidentChange]], digest_above: int
    ) -> Outbox:
        """With more to be told, by the name of the channel."""
        outbox = self
        for channel, changes in told.items():
            if changes:
                queue = outbox[channel].with_changes(changes, digest_above)
                outbox = outbox.replaced(channel, queue)
        return outbox

    def without(self, channels: Sequence[str]) -> tuple[Outbox, list[IncidentChange]]:
        """Only the queues of known channels; and what waited on others, each change once."""
        gone = [q for name, q in self.queues.items() if name not in channels]
        changes = {c.id: c for q in gone for e in q.entries for c in e.changes}
        kept = {name: q for name, q in self.queues.items() if name in channels}
        return Outbox(kept), list(changes.values())
