"""Alert dispatcher: observations in, messages out, with one state that survives a kill.

The state (position in the event log, open incidents, queues of the channels) is stored atomically:
first the new position together with the resulting messages, then every delivery before the next one
begins. So an event is read again until its messages are stored, and a message is sent again until
its delivery is stored (at-least-once delivery). A kill between the channel's reply and the stored
delivery sends one message again, under the same id.
"""

from __future__ import annotations

import logging
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Protocol

from pydantic import TypeAdapter

from spatial_pipeline.alert.incidents import Incident, IncidentChange, observe, remind
from spatial_pipeline.alert.message import Links, Message, compose, when
from spatial_pipeline.alert.outbox import DOWN_AFTER, Outbox, QueuedMessage
from spatial_pipeline.alert.problems import Key, Kind, Observation, Problem
from spatial_pipeline.alert.routing import Route, recipients
from spatial_pipeline.contract.vocabulary import Severity

logger = logging.getLogger("spatial_pipeline")
SELF = "alerts"
"""Subject of incidents about the alerts themselves."""
Painter = Callable[[Problem], bytes | None]


@dataclass(frozen=True)
class Rules:
    """Settings for reporting incidents.

    Attributes:
        routes: recipients by condition; without routes, every channel gets everything.
        remind_after_s: seconds after which an open incident is reported again.
        digest_above: more than this many changes for one channel at once become one message.
        retry_after_s: wait after the first failure of a channel; it doubles.
        links: addresses in the UI.

    """

    routes: tuple[Route, ...] = ()
    remind_after_s: float = 86_400.0
    digest_above: int = 10
    retry_after_s: float = 30.0
    links: Links = field(default_factory=Links)


@dataclass(frozen=True)
class AlertState:
    """State that must not be lost.

    Attributes:
        position: read position in the event log; its format belongs to the reader.
        incidents: the open incidents.
        outbox: undelivered messages.

    """

    position: str = ""
    incidents: tuple[Incident, ...] = ()
    outbox: Outbox = field(default_factory=Outbox)

    @property
    def by_key(self) -> dict[Key, Incident]:
        """The open incidents by key."""
        return {i.key: i for i in self.incidents}


_STATE = TypeAdapter(AlertState)


class Channel(Protocol):
    """Something that takes messages."""

    @property
    def name(self) -> str:
        """Name for routes and reports."""

    def send(self, message: Message) -> str | None:
        """Sends a message; None on success, else the error, without secrets."""


class StateStorage(Protocol):
    """Storage of the state; a saved state is atomic and survives a kill."""

    def load(self) -> str | None:
        """The last saved state."""

    def save(self, text: str) -> None:
        """Saves."""


@dataclass(frozen=True)
class Report:
    """Result of one round of sending.

    Attributes:
        sent: messages delivered, by channel.
        errors: errors of the channels that failed.
        waiting: messages that wait, by channel.

    """

    sent: Mapping[str, int]
    errors: Mapping[str, str]
    waiting: Mapping[str, int]

    @property
    def none_worked(self) -> bool:
        """True when messages wait and no channel accepted any."""
        return bool(self.errors) and not self.sent

    def __str__(self) -> str:
        parts = [f"{n} sent to {name}" for name, n in self.sent.items()]
        parts += [f"{n} waiting for {name}" for name, n in self.waiting.items()]
        parts += [f"{name}: {error}" for name, error in self.errors.items()]
        return "; ".join(parts) or "nothing to tell"


@dataclass
class AlertDispatcher:
    """Turns observations into messages and delivers them.

    Attributes:
        shelf: storage of the state.
        channels: destinations of messages.
        rules: settings for reporting incidents.
        paint: draws the map of a problem's violations; returns None when there is nothing to draw.
        clock: the time in POSIX seconds.

    """

    shelf: StateStorage
    channels: Sequence[Channel]
    rules: Rules = field(default_factory=Rules)
    paint: Painter = lambda _fact: None
    clock: Callable[[], float] = time.time
    state: AlertState = field(init=False)

    def __post_init__(self) -> None:
        text = self.shelf.load()
        self.state = AlertState() if text is None else _STATE.validate_json(text)

    def take(self, observations: Sequence[Observation], position: str | None = None) -> int:
        """Stores observations, the messages they cause, and the read position, in one write.

        Waiting messages of a channel that is no longer configured move to the others. Returns the
        number of changes to report.
        """
        incidents = self.state.by_key
        changes: list[IncidentChange] = []
        for observation in observations:
            incidents, told = observe(incidents, observation, self.clock())
            changes += told
        incidents, reminders = remind(incidents, self.clock(), self.rules.remind_after_s)
        changes += reminders
        outbox, homeless = self.state.outbox, list[IncidentChange]()
        if self.channels:
            outbox, homeless = outbox.without([c.name for c in self.channels])
        outbox = outbox.with_changes(self._told(homeless + changes), self.rules.digest_above)
        self._save(
            AlertState(
                self.state.position if position is None else position,
                tuple(incidents.values()),
                outbox,
            )
        )
        return len(changes)

    def deliver(self, budget_s: float) -> Report:
        """Sends waiting messages, in order per channel, until all are sent or time is up."""
        end = time.monotonic() + budget_s
        sent: dict[str, int] = {}
        errors: dict[str, str] = {}
        busy = True
        while busy and time.monotonic() < end:
            busy = False
            for channel in self.channels:
                name = channel.name
                entry = self.state.outbox[name].head(self.clock())
                if entry is None or name in errors or time.monotonic() >= end:
                    continue
                error = channel.send(self._message(entry))
                queue = self.state.outbox[name]
                if error is None:
                    sent[name] = sent.get(name, 0) + 1
                    queue = queue.delivered()
                    busy = True
                else:
                    logger.warning("alert channel %s: %s", name, error)
                    errors[name] = error
                    queue = queue.failed(self.clock(), error, self.rules.retry_after_s)
                self._save(replace(self.state, outbox=self.state.outbox.replaced(name, queue)))
                busy |= self._tell_of_channel(name)
        waiting = {name: len(q.entries) for name, q in self.state.outbox.queues.items()}
        return Report(sent, errors, waiting)

    def _told(self, changes: Sequence[IncidentChange]) -> dict[str, list[IncidentChange]]:
        names = [c.name for c in self.channels]
        told: dict[str, list[IncidentChange]] = {name: [] for name in names}
        for change in changes:
            for name in recipients(self.rules.routes, names, change.fact):
                told[name].append(change)
        return told

    def _tell_of_channel(self, name: str) -> bool:
        """Reports to the other channels that one is down, or that it works again."""
        key = Key(SELF, None, Kind.CHANNEL, name)
        queue = self.state.outbox[name]
        down = queue.failures >= DOWN_AFTER
        if not down and (queue.failures or key not in self.state.by_key):
            return False
        facts: list[Problem] = []
        if down:
            waiting = len(queue.entries)
            since = when(queue.down_since or self.clock())
            summary = (
                f"channel {name} has taken nothing since {since} UTC ({queue.error}); "
                f"{waiting} message{'s wait' if waiting != 1 else ' waits'} for it"
            )
            facts.append(Problem(key, Severity.ERROR, summary, status="down"))
        observation = Observation(self.clock(), frozenset({key}), tuple(facts))
        incidents, changes = observe(self.state.by_key, observation)
        told = self._told(changes)
        told.pop(name, None)
        outbox = self.state.outbox.with_changes(told, self.rules.digest_above)
        self._save(replace(self.state, incidents=tuple(incidents.values()), outbox=outbox))
        return bool(changes)

    def _message(self, entry: QueuedMessage) -> Message:
        """The message; without its picture when it was refused before."""
        picture = None
        if len(entry.changes) == 1 and entry.attempts < DOWN_AFTER:
            try:
                picture = self.paint(entry.changes[0].fact)
            except Exception:
                logger.exception("the map of %s cannot be drawn", entry.changes[0].fact.key.title)
        return compose(entry.id, entry.changes, self.rules.links, picture)

    def _save(self, state: AlertState) -> None:
        if state != self.state:
            self.shelf.save(_STATE.dump_json(state).decode())
            self.state = state
