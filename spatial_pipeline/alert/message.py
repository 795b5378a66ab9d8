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
from spatial_pipeline.alert.problems import Kind, Problem
from spatial_pipeline.alert.wording import counts, defects, next_commands, sentence, story
from spatial_pipeline.contract.vocabulary import Severity
from spatial_pipeline.runtime.hashing import fingerprint

if TYPE_CHECKING:
    import jinja2

MOST_LISTED = 25
"""Changes that a digest lists; it counts the others."""
WORDS = {
    What.OPENED: "failed", What.UPDATED: "changed", What.REMINDED: "still failing",
    What.ACKNOWLEDGED: "acknowledged", What.SILENCED: "silenced", What.CLOSED: "fixed",
}  # fmt: skip


@dataclass(frozen=True)
class Links:
    """Addresses for people, and the name of the deployment.

    Attributes:
        base: address of Dagster's UI; None makes no links.
        store: address under which people find the files of the store; None when they cannot.
        environment: name of the deployment, in front of every title.

    """

    base: str | None = None
    store: str | None = None
    environment: str | None = None

    def layer(self, fact: Problem) -> str | None:
        """Address of the violation layer of a problem; its path without ``store``."""
        if fact.layer is None or self.store is None:
            return fact.layer
        parts = fact.layer.replace("\\", "/").rsplit("/", 4)[1:]
        return "/".join([self.store.rstrip("/"), *(quote(p, safe="") for p in parts)])

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
class Attachment:
    """A file that goes with a message."""

    name: str
    content: bytes


@dataclass(frozen=True)
class Exhibit:
    """Additions of the store to a message about one dataset and partition.

    Attributes:
        readers: what readers see now, and since when; None when it is not known.
        picture: PNG of the defects.
        attachment: the violations, when they are few.

    """

    readers: str | None = None
    picture: bytes | None = None
    attachment: Attachment | None = None


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
        attachment: the violations, when they are few.

    """

    id: str
    group: str
    title: str
    text: str
    html: str
    level: str
    facts: tuple[dict[str, Any], ...] = ()
    picture: bytes | None = None
    attachment: Attachment | None = None


def compose(
    id_: str,
    changes: Sequence[IncidentChange],
    links: Links,
    exhibit: Exhibit = Exhibit(),
    others: Sequence[Problem] = (),
) -> Message:
    """The message that reports changes of one place; a digest when there are several places.

    Args:
        id_: idempotency key.
        changes: the changes.
        links: addresses for people.
        exhibit: what the store adds.
        others: problems of the place that did not change.

    """
    single = len({c.fact.key.place for c in changes}) == 1
    title = sentence(changes, others) if single else digest_title(changes)
    if links.environment is not None:
        title = f"[{links.environment}] {title}"
    first = changes[0]
    values = {"title": title, "id": id_, "single": single}
    if single:
        values |= _values(changes, others, links, exhibit)
        group = fingerprint("place", *first.fact.key.place)
    else:
        values |= {
            "changes": changes[:MOST_LISTED],
            "omitted": len(changes) - MOST_LISTED,
            "datasets": Counter(c.fact.key.title for c in changes).most_common(MOST_LISTED),
        }
        group = id_
    return Message(
        id=id_,
        group=group,
        title=title,
        text=_template("message.txt.jinja", links).render(values).strip() + "\n",
        html=_template("message.html.jinja", links).render(values),
        level=_level(changes, others),
        facts=tuple(as_json(c, links) for c in changes),
        picture=exhibit.picture,
        attachment=exhibit.attachment,
    )


def _values(
    changes: Sequence[IncidentChange],
    others: Sequence[Problem],
    links: Links,
    exhibit: Exhibit,
) -> dict[str, Any]:
    """Values of the templates for a message about one place."""
    open_ = [c for c in changes if c.what is not What.CLOSED]
    problems = [c.fact for c in open_] + list(others)
    problems.sort(key=lambda p: (p.severity is not Severity.ERROR, p.key.name))
    before = {c.fact.key: c.before for c in open_}
    # Where everything is new, nothing is marked as new.
    all_new = story(changes, others) is What.OPENED
    new = set() if all_new else {c.fact.key for c in open_ if c.what is What.OPENED}
    lead = problems[0] if problems else changes[0].fact
    layers = dict.fromkeys(filter(None, (links.layer(p) for p in problems)))
    return {
        "key": lead.key,
        "what": story(changes, others).value,
        "words": changes[0].words,
        "rows": [(p, counts(p, before.get(p.key)), p.key in new) for p in problems[:MOST_LISTED]],
        "more": max(0, len(problems) - MOST_LISTED),
        "fixed": [c.fact.key.name for c in changes if c.what is What.CLOSED],
        "since": min(c.opened_at for c in changes),
        "until": max(c.at for c in changes),
        "owners": tuple(dict.fromkeys(o for p in [*problems, lead] for o in p.owners)),
        "environment": links.environment,
        "version": lead.version,
        "readers": exhibit.readers,
        "defects": defects(problems),
        "attached": None if exhibit.attachment is None else exhibit.attachment.name,
        "layers": list(layers),
        "commands": next_commands(problems) if problems else [],
        "addresses": links.of(lead),
    }


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
        "limit": fact.limit,
        "summary": fact.summary,
        "owners": list(fact.owners),
        "environment": links.environment,
        "version": fact.version,
        "violation_layer": links.layer(fact),
        "run_id": fact.run_id,
        "opened_at": when(change.opened_at),
        "at": when(change.at),
        "links": {label.lower(): address for label, address in links.of(fact)},
    }


def when(at: float) -> str:
    """A time in UTC as text for people."""
    return datetime.fromtimestamp(at, UTC).strftime("%Y-%m-%d %H:%M:%S")


def line(change: IncidentChange) -> str:
    """One change in one line."""
    fact = change.fact
    said = "" if change.what is What.CLOSED else f": {fact.summary}"
    return f"{fact.key.title} {fact.key.name or fact.key.kind.value} {WORDS[change.what]}{said}"


def digest_title(changes: Sequence[IncidentChange]) -> str:
    """Title of a digest: counts by kind of change."""
    counted = Counter(WORDS[c.what] for c in changes)
    said = ", ".join(f"{n} {word}" for word, n in counted.items())
    datasets = len({c.fact.key.dataset for c in changes})
    return f"{said} ({datasets} dataset{'' if datasets == 1 else 's'})"


def _level(changes: Sequence[IncidentChange], others: Sequence[Problem]) -> str:
    open_ = [c.fact for c in changes if c.what is not What.CLOSED] + list(others)
    if not open_:
        return "success"
    if {c.what for c in changes} <= {What.ACKNOWLEDGED, What.SILENCED}:
        return "info"
    return "failure" if any(p.severity is Severity.ERROR for p in open_) else "warning"


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
    environment.filters.update(when=when, line=line, links=links.of)
    source = files("spatial_pipeline.alert").joinpath(name).read_text(encoding="utf-8")
    return environment.from_string(source)
