"""Renders changes of incidents as plain text and as HTML."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from functools import cache
from importlib.resources import files
from typing import TYPE_CHECKING, Any
from urllib.parse import quote, urlencode

from spatial_pipeline.alert.incidents import IncidentChange, What
from spatial_pipeline.alert.problems import Key, Kind, Problem
from spatial_pipeline.contract.vocabulary import Severity
from spatial_pipeline.model.result import keys_text
from spatial_pipeline.model.violations import Violation

if TYPE_CHECKING:
    import jinja2

MOST_LISTED = 25
"""Changes that a digest lists; it counts the others."""
WORDS = {
    What.OPENED: "failed", What.UPDATED: "changed", What.REMINDED: "still failing",
    What.CLOSED: "fixed",
}  # fmt: skip
TITLES = {
    Kind.UNCHECKED: "not every rule was checked",
    Kind.HELD: "publication held",
    Kind.RUN: "run failed",
    Kind.LATE: "late",
    Kind.CHANNEL: "alert channel down",
}


@dataclass(frozen=True)
class Links:
    """Addresses in Dagster's UI.

    Attributes:
        base: address of the UI without a slash at the end; None makes no links.

    """

    base: str | None = None

    def of(self, fact: Problem) -> tuple[tuple[str, str], ...]:
        """(label, address) of the run, the asset and the check of a problem."""
        if self.base is None:
            return ()
        base, links = self.base.rstrip("/"), []
        if fact.run_id is not None:
            links.append(("Run", f"{base}/runs/{quote(fact.run_id, safe='')}"))
        if fact.asset is not None:
            asset = f"{base}/assets/{quote(fact.asset)}"
            partition = {} if fact.key.partition is None else {"partition": fact.key.partition}
            links.append(("Asset", f"{asset}?{urlencode({'view': 'partitions', **partition})}"))
            if fact.key.kind is Kind.RULE:
                check = urlencode({"view": "checks", "checkDetail": fact.key.name})
                links.append(("Check", f"{asset}?{check}"))
        return tuple(links)


@dataclass(frozen=True)
class Message:
    """A message to a channel.

    Attributes:
        id: idempotency key; the same for a message that is sent twice.
        group: common id of all messages about the same incident.
        title: one line.
        text: plain text.
        html: the same as HTML.
        level: ``failure``, ``warning``, ``info`` or ``success``.
        facts: the same as JSON-ready values.
        picture: PNG of the defects.

    """

    id: str
    group: str
    title: str
    text: str
    html: str
    level: str
    facts: tuple[dict[str, Any], ...] = ()
    picture: bytes | None = None


def compose(
    id_: str, changes: Sequence[IncidentChange], links: Links, picture: bytes | None = None
) -> Message:
    """The message that reports these changes; a digest when there are several."""
    single = changes[0] if len(changes) == 1 else None
    title = _title(single) if single is not None else digest_title(changes)
    values = {
        "title": title,
        "changes": changes[:MOST_LISTED],
        "single": single,
        "omitted": len(changes) - MOST_LISTED,
        "datasets": Counter(c.fact.key.title for c in changes).most_common(MOST_LISTED),
        "id": id_,
    }
    return Message(
        id=id_,
        group=changes[0].incident if single is not None else id_,
        title=title,
        text=_template("message.txt.jinja", links).render(values).strip() + "\n",
        html=_template("message.html.jinja", links).render(values),
        level=_level(changes),
        facts=tuple(as_json(c, links) for c in changes),
        picture=picture,
    )


def as_json(change: IncidentChange, links: Links) -> dict[str, Any]:
    """A change as JSON-ready values."""
    fact = change.fact
    return {
        "id": change.id,
        "incident": change.incident,
        "state": change.state,
        "what": change.what.value,
        "dataset": fact.key.dataset,
        "partition": fact.key.partition,
        "kind": fact.key.kind.value,
        "name": fact.key.name,
        "severity": fact.severity.value,
        "status": fact.status,
        "violations": fact.violations,
        "violations_before": change.before,
        "checked": fact.checked,
        "summary": fact.summary,
        "version": fact.version,
        "violation_layer": fact.layer,
        "run_id": fact.run_id,
        "opened_at": when(change.opened_at),
        "at": when(change.at),
        "links": {label.lower(): address for label, address in links.of(fact)},
    }


def when(at: float) -> str:
    """A time in UTC as text for people."""
    return datetime.fromtimestamp(at, UTC).strftime("%Y-%m-%d %H:%M:%S")


def counts(change: IncidentChange) -> str:
    """Violations before and now, where known."""
    fact = change.fact
    if change.what is What.CLOSED or fact.violations is None:
        return ""
    now = f"{fact.violations} violation{'' if fact.violations == 1 else 's'}"
    now += f" in {fact.checked} checked" if fact.checked else ""
    return now if change.before is None else f"{now}, {change.before} before"


def line(change: IncidentChange) -> str:
    """One change in one line."""
    fact = change.fact
    said = "" if change.what is What.CLOSED else f": {fact.summary}"
    return f"{fact.key.title} {_subject(fact.key)} {_word(change)}".rstrip() + said


def defect(violation: Violation) -> str:
    """One violation in one line, with its coordinates."""
    keys = keys_text(violation.keys)
    parts = [violation.reason, keys]
    if violation.location is not None:
        parts.append("at {:.10g}, {:.10g}".format(*violation.location))
    if violation.measure is not None:
        parts.append(f"{violation.measure:.4g} {violation.unit}".strip())
    return " · ".join(p for p in parts if p)


def digest_title(changes: Sequence[IncidentChange]) -> str:
    """Title of a digest: counts by kind of change."""
    counted = Counter(WORDS[c.what] for c in changes)
    said = ", ".join(f"{n} {word}" for word, n in counted.items())
    datasets = len({c.fact.key.dataset for c in changes})
    return f"{said} ({datasets} dataset{'' if datasets == 1 else 's'})"


def _title(change: IncidentChange) -> str:
    key = change.fact.key
    return f"{key.title}: {_subject(key)} {_word(change)}".rstrip()


def _subject(key: Key) -> str:
    title = TITLES.get(key.kind)
    if title is None:
        return key.name
    named = key.kind in (Kind.RUN, Kind.CHANNEL) and key.name
    return f"{title} ({key.name})" if named else title


def _word(change: IncidentChange) -> str:
    if change.fact.key.kind is Kind.RULE and change.what is What.OPENED:
        warned = change.fact.severity is Severity.WARN
        status = "could not be checked" if change.fact.status in ("error", "timeout") else "failed"
        return f"{status} (warning)" if warned else status
    if change.fact.key.kind is not Kind.RULE:
        words = {What.OPENED: "", What.UPDATED: "changed", What.REMINDED: "still"}
        return words.get(change.what, "over").strip()
    return WORDS[change.what]


def _level(changes: Sequence[IncidentChange]) -> str:
    if all(c.what is What.CLOSED for c in changes):
        return "success"
    open_ = [c for c in changes if c.what is not What.CLOSED]
    return "failure" if any(c.fact.severity is Severity.ERROR for c in open_) else "warning"


@cache
def _template(name: str, links: Links) -> jinja2.Template:
    # The definitions of a code location load this module; only a message needs templates.
    import jinja2

    environment = jinja2.Environment(
        autoescape=name.endswith(".html.jinja"),
        trim_blocks=True,
        lstrip_blocks=True,
        undefined=jinja2.StrictUndefined,
    )
    environment.filters.update(when=when, counts=counts, line=line, defect=defect, links=links.of)
    source = files("spatial_pipeline.alert").joinpath(name).read_text(encoding="utf-8")
    return environment.from_string(source)
