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

from spatial_pipeline.alert.incidents import Incident, IncidentChange, What, observe, remind, tell
from spatial_pipeline.alert.message import Exhibit, Links, Message, compose, when
from spatial_pipeline.alert.outbox import DOWN_AFTER, Outbox, QueuedMessage
from spatial_pipeline.alert.problems import Key, Kind, Observation, Problem
from spatial_pipeline.alert.routing import Route, recipients, waits
from spatial_pipeline.alert.silences import Acknowledgement, Silence, Withheld, withhold
from spatial_pipeline.contract.vocabulary import Severity

logger = logging.getLogger("spatial_pipeline")
SELF = "alerts"
"""Subject of incidents about the alerts themselves."""
Exhibitor = Callable[[Sequence[Problem], Key], Exhibit]


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
        acknowledged: places that somebody is at.
        silences: datasets and partitions that send no messages until a given time.
        withheld: changes that wait for the end of a silence or of quiet hours.

    """

    position: str = ""
    incidents: tuple[Incident, ...] = ()
    outbox: Outbox = field(default_factory=Outbox)
    acknowledged: tuple[Acknowledgement, ...] = ()
    silences: tuple[Silence, ...] = ()
    withheld: Withheld = field(default_factory=dict)

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
        exhibit: what the store adds to a message about these problems of one place.
        clock: the time in POSIX seconds.

    """

    shelf: StateStorage
    channels: Sequence[Channel]
    rules: Rules = field(default_factory=Rules)
    exhibit: Exhibitor = lambda _problems, _key: Exhibit()
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
        now, state = self.clock(), self.state
        if position is not None:
            state = replace(state, position=position)
        incidents = state.by_key
        changes: list[IncidentChange] = []
        for observation in observations:
            incidents, told = observe(incidents, observation, now)
            changes += told
        acknowledged = _still(state.acknowledged, incidents, changes)
        quiet = {a.place for a in acknowledged}
        # What is still wrong when a silence ends is told then.
        quiet |= {k.place for k in incidents if any(s.covers(k, now) for s in state.silences)}
        incidents, reminders = remind(incidents, now, self.rules.remind_after_s, quiet)
        changes += reminders
        state = replace(
            state,
            incidents=tuple(incidents.values()),
            acknowledged=acknowledged,
            silences=tuple(s for s in state.silences if now < s.until),
        )
        self._save(self._queued(state, changes))
        return len(changes)

    def acknowledge(self, dataset: str, partition: str | None, by: str, note: str = "") -> int:
        """Stops reminders of a place until something else of it fails; tells the channels.

        Returns the number of open problems; nothing happens when there are none.
        """
        places = {k.place for k in self.state.by_key if _is(k, dataset, partition)}
        now = self.clock()
        words = f"{by}: {note}" if note else by
        incidents, changes = tell(self.state.by_key, places, What.ACKNOWLEDGED, now, words)
        others = [a for a in self.state.acknowledged if a.place not in places]
        fresh = [Acknowledgement(p, by, now, note) for p in sorted(places, key=str)]
        state = replace(
            self.state,
            incidents=tuple(incidents.values()),
            acknowledged=(*others, *fresh),
        )
        self._save(self._queued(state, changes))
        return len(changes)

    def reset(self, dataset: str, partition: str | None) -> int:
        """Closes all incidents of a place; what is still wrong opens one at the next look.

        Returns their number.
        """
        keys = [k for k in self.state.by_key if _is(k, dataset, partition)]
        observation = Observation(self.clock(), frozenset(keys))
        return self.take([observation]) if keys else 0

    def silence(self, silence: Silence) -> int:
        """Sends nothing of some datasets for a while; tells the channels that it begins.

        Returns the number of open problems that it covers.
        """
        now = self.clock()
        places = {k.place for k in self.state.by_key if silence.covers(k, now)}
        until = when(silence.until)
        words = f"until {until} UTC by {silence.by}" + (f": {silence.note}" if silence.note else "")
        incidents, changes = tell(self.state.by_key, places, What.SILENCED, now, words)
        state = replace(self.state, incidents=tuple(incidents.values()))
        state = self._queued(state, changes)
        self._save(replace(state, silences=(*state.silences, silence)))
        return len(changes)

    def end_silences(self, datasets: str, partition: str | None) -> int:
        """Ends silences that were made for these datasets and this partition; their number."""
        kept = [
            s for s in self.state.silences if (s.datasets, s.partition) != (datasets, partition)
        ]
        ended = len(self.state.silences) - len(kept)
        self._save(replace(self.state, silences=tuple(kept)))
        return ended

    def _queued(self, state: AlertState, changes: Sequence[IncidentChange]) -> AlertState:
        """The state with messages for changes, and for those that need wait no longer."""
        now = self.clock()
        outbox, homeless = state.outbox, list[IncidentChange]()
        withheld = dict(state.withheld)
        if self.channels:
            names = [c.name for c in self.channels]
            outbox, homeless = outbox.without(names)
            gone = {c.id: c for n, of in withheld.items() if n not in names for c in of}
            homeless += gone.values()
            withheld = {n: of for n, of in withheld.items() if n in names}
        told: dict[str, list[IncidentChange]] = {}
        for name, waiting in withheld.items():
            told[name] = [c for c in waiting if not self._waits(state, name, c)]
            withheld[name] = tuple(c for c in waiting if self._waits(state, name, c))
        for name, fresh in self._told([*homeless, *changes]).items():
            for change in fresh:
                if self._waits(state, name, change):
                    silenced = any(s.covers(change.fact.key, now) for s in state.silences)
                    before = withheld.get(name, ())
                    withheld[name] = withhold(before, change, forget=silenced)
                else:
                    told.setdefault(name, []).append(change)
        open_ = [i.fact for i in state.incidents]
        return replace(
            state,
            outbox=outbox.with_changes(told, self.rules.digest_above, open_),
            withheld={name: of for name, of in withheld.items() if of},
        )

    def _waits(self, state: AlertState, channel: str, change: IncidentChange) -> bool:
        """True while a silence or quiet hours keep a change from a channel."""
        now = self.clock()
        silenced = any(s.covers(change.fact.key, now) for s in state.silences)
        return silenced or waits(self.rules.routes, channel, change.fact, now)

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
        state = replace(self.state, incidents=tuple(incidents.values()))
        self._save(self._queued(state, changes))
        return bool(changes)

    def _message(self, entry: QueuedMessage) -> Message:
        """The message; without picture and file when it was refused before."""
        exhibit = Exhibit()
        places = {c.fact.key.place for c in entry.changes}
        if len(places) == 1:
            try:
                open_ = [c.fact for c in entry.changes if c.what is not What.CLOSED]
                exhibit = self.exhibit([*open_, *entry.others], entry.changes[0].fact.key)
            except Exception:
                title = entry.changes[0].fact.key.title
                logger.exception("the store does not tell more of %s", title)
            if entry.attempts >= DOWN_AFTER:
                exhibit = replace(exhibit, picture=None, attachment=None)
        return compose(entry.id, entry.changes, self.rules.links, exhibit, entry.others)

    def _save(self, state: AlertState) -> None:
        if state != self.state:
            self.shelf.save(_STATE.dump_json(state).decode())
            self.state = state


def _is(key: Key, dataset: str, partition: str | None) -> bool:
    """True for a problem of a dataset, of one partition or of all when None."""
    return key.dataset == dataset and partition in (None, key.partition)


def _still(
    acknowledged: Sequence[Acknowledgement],
    incidents: Mapping[Key, Incident],
    changes: Sequence[IncidentChange],
) -> tuple[Acknowledgement, ...]:
    """Acknowledgements of what is still wrong, where nothing that blocks came on top."""
    open_ = {k.place for k in incidents}
    worse = {
        c.fact.key.place
        for c in changes
        if c.what is What.OPENED and c.fact.severity is Severity.ERROR
    }
    return tuple(a for a in acknowledged if a.place in open_ - worse)
