"""Queues of unsent messages, one per channel: in order, with at-least-once delivery.

Pure values. The caller stores every change, before and after sending.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace

from spatial_pipeline.alert.incidents import IncidentChange
from spatial_pipeline.alert.problems import Place, Problem
from spatial_pipeline.runtime.hashing import fingerprint

LONGEST_QUEUE = 100
"""Messages that wait on a channel; later changes are collected in digests."""
LARGEST_DIGEST = 1000
"""Changes that one digest holds at most."""
LONGEST_WAIT_S = 600.0
DOWN_AFTER = 2
"""Failures in a row after which a channel counts as down."""


@dataclass(frozen=True)
class QueuedMessage:
    """One message for one channel.

    Attributes:
        changes: the reported changes; those of several places make it a digest.
        attempts: failed attempts to send it.
        others: problems of the place that are open, too, and did not change.

    """

    changes: tuple[IncidentChange, ...]
    attempts: int = 0
    others: tuple[Problem, ...] = ()

    @property
    def id(self) -> str:
        """The idempotency key of the message."""
        ids = [c.id for c in self.changes]
        return ids[0] if len(ids) == 1 else f"digest-{fingerprint(ids)}"


@dataclass(frozen=True)
class Queue:
    """The messages that wait for one channel.

    Attributes:
        entries: oldest first; only the head is sent.
        failures: failures since the last success.
        retry_at: POSIX seconds before which there is no retry.
        down_since: POSIX seconds of the first of these failures.
        error: the last error.

    """

    entries: tuple[QueuedMessage, ...] = ()
    failures: int = 0
    retry_at: float = 0.0
    down_since: float | None = None
    error: str = ""

    def head(self, now: float) -> QueuedMessage | None:
        """The message to send now, None while waiting for a retry or when empty."""
        return self.entries[0] if self.entries and now >= self.retry_at else None

    def delivered(self) -> Queue:
        """The queue after the channel accepted the head."""
        return Queue(self.entries[1:])

    def failed(self, now: float, error: str, wait_s: float) -> Queue:
        """The queue after the channel refused the head; retried with exponential back-off."""
        head = replace(self.entries[0], attempts=self.entries[0].attempts + 1)
        wait = min(wait_s * 2**self.failures, max(LONGEST_WAIT_S, wait_s)) if wait_s else 0.0
        return Queue(
            entries=(head, *self.entries[1:]),
            failures=self.failures + 1,
            retry_at=now + wait,
            down_since=now if self.down_since is None else self.down_since,
            error=error,
        )

    def with_changes(
        self, changes: Sequence[IncidentChange], digest_above: int, open_: Sequence[Problem] = ()
    ) -> Queue:
        """The queue with more changes: one message a place, or one digest when places are many.

        Args:
            changes: the changes.
            digest_above: most messages at once.
            open_: all open problems.

        """
        places: dict[Place, list[IncidentChange]] = {}
        for change in changes:
            places.setdefault(change.fact.key.place, []).append(change)
        if len(places) > digest_above:
            compact = tuple(replace(c, fact=replace(c.fact, sample=())) for c in changes)
            parts = range(0, len(compact), LARGEST_DIGEST)
            fresh = [QueuedMessage(compact[i : i + LARGEST_DIGEST]) for i in parts]
        else:
            fresh = [
                QueuedMessage(tuple(of), others=_others(place, of, open_))
                for place, of in places.items()
            ]
        entries = list(self.entries)
        for entry in fresh:
            # Only the head is ever sent: everything behind it can still be changed.
            room = len(entries) > 1 and len(entries[-1].changes + entry.changes) <= LARGEST_DIGEST
            if len(entries) >= LONGEST_QUEUE and room:
                entries[-1] = QueuedMessage(entries[-1].changes + entry.changes)
            else:
                entries.append(entry)
        return replace(self, entries=tuple(entries))


def _others(
    place: Place, changes: Sequence[IncidentChange], open_: Sequence[Problem]
) -> tuple[Problem, ...]:
    """Problems of a place that did not change, without their samples."""
    changed = {c.fact.key for c in changes}
    return tuple(
        replace(p, sample=()) for p in open_ if p.key.place == place and p.key not in changed
    )


@dataclass(frozen=True)
class Outbox:
    """All queues, by the name of the channel."""

    queues: Mapping[str, Queue] = field(default_factory=dict)

    def __getitem__(self, channel: str) -> Queue:
        return self.queues.get(channel, Queue())

    def replaced(self, channel: str, queue: Queue) -> Outbox:
        """The outbox with another queue for a channel; empty queues without errors are dropped."""
        queues = {**self.queues, channel: queue}
        return Outbox({name: q for name, q in queues.items() if q != Queue()})

    def with_changes(
        self,
        told: Mapping[str, Sequence[IncidentChange]],
        digest_above: int,
        open_: Sequence[Problem] = (),
    ) -> Outbox:
        """The outbox with more changes, by the name of the channel; see :class:`Queue`."""
        outbox = self
        for channel, changes in told.items():
            if changes:
                queue = outbox[channel].with_changes(changes, digest_above, open_)
                outbox = outbox.replaced(channel, queue)
        return outbox

    def without(self, channels: Sequence[str]) -> tuple[Outbox, list[IncidentChange]]:
        """The outbox of known channels only, and the changes that waited on others, each once."""
        gone = [q for name, q in self.queues.items() if name not in channels]
        changes = {c.id: c for q in gone for e in q.entries for c in e.changes}
        kept = {name: q for name, q in self.queues.items() if name in channels}
        return Outbox(kept), list(changes.values())
