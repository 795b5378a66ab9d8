"""Sentences of messages: what is wrong with one place, since when, and what to type next."""

from __future__ import annotations

import shlex
from collections.abc import Sequence
from itertools import zip_longest

from spatial_pipeline.alert.incidents import IncidentChange, What
from spatial_pipeline.alert.problems import Key, Kind, Problem
from spatial_pipeline.contract.vocabulary import Severity
from spatial_pipeline.model.result import keys_text
from spatial_pipeline.model.violation import Violation

MOST_DEFECTS = 6
"""Violations that a message lists."""
MOST_NAMED = 3
"""Rules that a title names; more are counted."""
LONGEST_CAUSE = 120
"""Characters of a cause in a title."""
UNITS = ((86_400, "day"), (3_600, "hour"), (60, "minute"), (1, "second"))
ABOUT_VERSIONS = (Kind.RULE, Kind.HELD, Kind.UNCHECKED)


def story(changes: Sequence[IncidentChange], others: Sequence[Problem]) -> What:
    """Kind of change of a place, of which single problems changed and others did not."""
    kinds = {c.what for c in changes}
    if kinds == {What.CLOSED}:
        return What.UPDATED if others else What.CLOSED
    if kinds == {What.OPENED}:
        return What.UPDATED if others else What.OPENED
    return kinds.pop() if len(kinds) == 1 else What.UPDATED


def sentence(changes: Sequence[IncidentChange], others: Sequence[Problem]) -> str:
    """The title of a message about one place."""
    first = changes[0]
    key, what = first.fact.key, story(changes, others)
    lasted = duration(max(c.at for c in changes) - min(c.opened_at for c in changes))
    if what is What.CLOSED:
        return _over(key, [c.fact.key.kind for c in changes], lasted)
    if what is What.ACKNOWLEDGED:
        return f"{key.title} is acknowledged by {first.words}"
    if what is What.SILENCED:
        return f"{key.title} is silent {first.words}"
    now = [c.fact for c in changes if c.what is not What.CLOSED] + list(others)
    said = condition(now, still=what in (What.UPDATED, What.REMINDED))
    if what is What.REMINDED:
        return f"{said}, for {lasted}"
    counted = [
        (sum(c.what is kind for c in changes), word)
        for kind, word in (
            (What.OPENED, "new"),
            (What.UPDATED, "changed"),
            (What.CLOSED, "fixed"),
        )
    ]
    if what is What.UPDATED:
        said += f" ({', '.join(f'{n} {word}' for n, word in counted if n)})"
    return said


def condition(problems: Sequence[Problem], *, still: bool = False) -> str:
    """One sentence on the problems of a dataset and partition, the worst first."""
    title, again = problems[0].key.title, "still " if still else ""
    by_kind = {p.key.kind: p for p in reversed(problems)}
    failing = [p for p in problems if p.key.kind is Kind.RULE and p.severity is Severity.ERROR]
    if failing:
        return f"{title} is {again}held: {_listed(failing)}"
    for kind in (Kind.HELD, Kind.UNCHECKED):
        if kind in by_kind:
            return f"{title} is {again}held: {_cause(by_kind[kind])}"
    if Kind.CONTRACT in by_kind:
        return f"The contract of {title} {again}has a mistake: {_cause(by_kind[Kind.CONTRACT])}"
    if Kind.RUN in by_kind:
        return f"A run of {title} {again}failed: {_cause(by_kind[Kind.RUN])}"
    if Kind.CHANNEL in by_kind:
        return f"The alert channel {problems[0].key.name} {again}takes nothing"
    if Kind.LATE in by_kind:
        return f"{title} is {again}{by_kind[Kind.LATE].status}"
    warned = [p for p in problems if p.key.kind is Kind.RULE]
    if warned:
        return f"{title} {again}has a warning: {_listed(warned)}"
    return f"{title}: {_cause(problems[0])}"


def counts(problem: Problem, before: int | None = None) -> str:
    """Violations, how many were checked, how many are allowed and how many there were before."""
    if problem.violations is None:
        return ""
    said = f"{problem.violations} violation{'' if problem.violations == 1 else 's'}"
    if problem.checked:
        said += f" in {problem.checked} checked"
    if problem.limit is not None:
        measured = problem.value is not None and problem.value != problem.violations
        said += (
            f", measured {problem.value:g}, limit {problem.limit:g}"
            if measured
            else (f", {problem.limit:g} allowed")
        )
    return said if before is None else f"{said}, {before} before"


def defects(problems: Sequence[Problem]) -> list[str]:
    """The first violations, one of each rule in turn, with their coordinates."""
    several = sum(bool(p.sample) for p in problems) > 1
    turns = zip_longest(*([(p, v) for v in p.sample] for p in problems))
    found = [pair for turn in turns for pair in turn if pair is not None]
    return [f"{p.key.name}: {defect(v)}" if several else defect(v) for p, v in found[:MOST_DEFECTS]]


def defect(violation: Violation) -> str:
    """One violation in one line, with its coordinates."""
    parts = [violation.reason, keys_text(violation.keys)]
    if violation.location is not None:
        parts.append("at {:.10g}, {:.10g}".format(*violation.location))
    if violation.measure is not None:
        parts.append(f"{violation.measure:.4g} {violation.unit}".strip())
    return " · ".join(p for p in parts if p)


def next_commands(problems: Sequence[Problem]) -> list[tuple[str, str]]:
    """(purpose, command) of what a person may type next."""
    key = problems[0].key
    kinds = {p.key.kind for p in problems}
    if kinds == {Kind.CHANNEL}:
        return [("Try it", f"spatial-pipeline alerts test --channel {shlex.quote(key.name)}")]
    if not any(_ours(p) for p in problems):
        return []
    partition = "" if key.partition is None else f" --partition {shlex.quote(key.partition)}"
    place = f"{shlex.quote(key.dataset)}{partition}"
    found = []
    if kinds & set(ABOUT_VERSIONS):
        found.append(("See all that is held", "spatial-pipeline held"))
    if any("schema" in p.summary for p in problems if p.key.kind is Kind.HELD):
        found.append(("Accept the schema", f"spatial-pipeline accept {place}"))
    corrected = " when the source is corrected" if kinds & set(ABOUT_VERSIONS) else ""
    found.append((f"Run again{corrected}", f"spatial-pipeline run {place}"))
    found.append(("Stop reminders", f"spatial-pipeline alerts acknowledge {place} --by YOU"))
    return found


def duration(seconds: float) -> str:
    """A time span for people: the largest unit that it fills."""
    for size, unit in UNITS:
        number = int(seconds // size)
        if number:
            return f"{number} {unit}{'' if number == 1 else 's'}"
    return "a moment"


def _ours(problem: Problem) -> bool:
    asset = problem.asset or ""
    return asset.rpartition("/")[2] in {"source", "staged", "published"}


def _listed(rules: Sequence[Problem]) -> str:
    if len(rules) > MOST_NAMED:
        return f"{len(rules)} rules fail"
    if len(rules) > 1:
        names = [p.key.name for p in rules]
        return f"{', '.join(names[:-1])} and {names[-1]} fail"
    (only,) = rules
    unjudged = only.status in ("error", "timeout")
    return f"{only.key.name} {'could not be checked' if unjudged else 'fails'}"


def _cause(problem: Problem) -> str:
    text = problem.summary
    return text if len(text) <= LONGEST_CAUSE else f"{text[: LONGEST_CAUSE - 1]}…"


def _over(key: Key, kinds: Sequence[Kind], lasted: str) -> str:
    if set(kinds) == {Kind.CHANNEL}:
        return f"The alert channel {key.name} takes messages again"
    if set(kinds) & set(ABOUT_VERSIONS):
        return f"{key.title} passes again after {lasted}"
    if set(kinds) == {Kind.CONTRACT}:
        return f"The contract of {key.title} is right again after {lasted}"
    if set(kinds) == {Kind.SCHEMA}:
        return f"The notice about the accepted schema change of {key.title} has ended"
    if Kind.LATE in kinds:
        return f"{key.title} is fresh again after {lasted}"
    if set(kinds) == {Kind.RUN}:
        return f"Runs of {key.title} succeed again after {lasted}"
    return f"{key.title} is right again after {lasted}"
