"""delivery_contents: the files that a source came with are as promised, and named after it."""

from __future__ import annotations

import datetime as dt
import re
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, cast

import pyarrow as pa
import pyarrow.compute as pc

from spatial_pipeline.check.api import Context, RuleOutcome, Violations, profile_rule
from spatial_pipeline.contract.rules.formats import PARTITION, DeliveryContents
from spatial_pipeline.errors import RuleError
from spatial_pipeline.model.delivery import Delivery
from spatial_pipeline.model.profile import Profile
from spatial_pipeline.model.readers import VectorReader

SAID = 3
"""Values of a column that a violation names."""
_GLOB = re.compile(r"\*\*/|\*\*|\*|\?|[^*?]+")
_MEANS = {"**/": "(?:.*/)?", "**": ".*", "*": "[^/]*", "?": "[^/]"}


@profile_rule
def evaluate(rule: DeliveryContents, profile: Profile, context: Context) -> RuleOutcome:
    """One violation for each file that is missing, forbidden, not expected or misnamed.

    Raises:
        RuleError: the delivery cannot be listed, or the data have no such column or partition.

    """
    delivery = profile.delivery
    if delivery is None or delivery.error is not None:
        reason = "the delivery was not listed: run again" if delivery is None else delivery.error
        raise RuleError(reason or "")
    unknown = rule.columns() if profile.error is not None else ()
    notes = [f"{c} is not known, since the source cannot be read" for c in unknown]
    truths = {
        part: _truth(source, delivery, profile, context)
        for part, source in rule.parts_match.items()
        if source not in unknown
    }
    notes += [f"{t.name} holds no value to compare" for t in truths.values() if not t.values]
    mistakes = [*_missing(rule, delivery.files), *_found(rule, delivery.files, truths)]
    return RuleOutcome(
        checked=len(delivery.files),
        violations=Violations.build([-1] * len(mistakes), mistakes),
        message="; ".join(mistakes[:5]) or f"{len(delivery.files)} files as promised",
        notes=tuple(dict.fromkeys(notes)),
    )


def expression(glob: str) -> re.Pattern[str]:
    """The regular expression of a glob, for whole names."""
    return re.compile("".join(_MEANS.get(t, re.escape(t)) for t in _GLOB.findall(glob)), re.DOTALL)


def _matching(globs: Iterable[str], files: Sequence[str]) -> dict[str, str]:
    """Each file that one of the globs matches, with the first that does."""
    found: dict[str, str] = {}
    for glob in globs:
        match = expression(glob).fullmatch
        for file in files:
            if file not in found and match(file):
                found[file] = glob
    return found


def _missing(rule: DeliveryContents, files: Sequence[str]) -> Iterator[str]:
    for glob in rule.required or ():
        if not _matching([glob], files):
            yield f"{glob} is missing"


def _found(
    rule: DeliveryContents, files: Sequence[str], truths: Mapping[str, _Truth]
) -> Iterator[str]:
    forbidden = _matching(rule.forbidden or (), files)
    optional = _matching(rule.optional or (), files)
    required = _matching(rule.required or (), files)
    pattern = None if rule.name_pattern is None else re.compile(rule.name_pattern)
    for file in files:
        if file in forbidden:
            yield f"{file} is forbidden ({forbidden[file]})"
        elif file in optional:
            continue
        elif pattern is None:
            if rule.optional is not None and file not in required:
                yield f"{file} is not expected"
        elif named := pattern.fullmatch(file):
            parts = {p: named[p] for p in truths if named[p] is not None}
            yield from _untrue(file, parts, truths)
        else:
            yield f"the name {file} does not match {rule.name_pattern}"


def _untrue(file: str, parts: Mapping[str, str], truths: Mapping[str, _Truth]) -> Iterator[str]:
    for part, text in parts.items():
        truth = truths[part]
        if not all(says(text, value) for value in truth.values):
            yield f"{file}: {part} is {text}, but {truth.name} is {truth.words}"


@dataclass(frozen=True)
class _Truth:
    """The values that a part of a name must agree with; all of one column, or the partition."""

    name: str
    values: Sequence[Any] = field(default_factory=list)

    @property
    def words(self) -> str:
        said = ", ".join("null" if v is None else str(v) for v in self.values[:SAID])
        return said + (", …" if len(self.values) > SAID else "")


def _truth(source: str, delivery: Delivery, profile: Profile, context: Context) -> _Truth:
    if source != PARTITION:
        return _column(source, profile, context)
    if delivery.partition is None:
        msg = f"parts_match: {PARTITION} needs a dataset with partitions"
        raise RuleError(msg)
    return _Truth("the partition", [delivery.partition])


def _column(name: str, profile: Profile, context: Context) -> _Truth:
    """The distinct values of a column in the order of the data, up to one more than are named."""
    if profile.kind != "vector" or name not in {c.name for c in profile.columns}:
        msg = f"needs column {name}"
        raise RuleError(msg)
    data = cast("VectorReader", context.data)
    values: dict[Any, None] = {}
    for index in range(data.batch_count()):
        context.cancelled()
        column = data.batch(index, (name,), geometry=False).table.column(name)
        try:
            values.update(dict.fromkeys(pc.unique(column).slice(0, SAID + 1).to_pylist()))
        except (pa.ArrowNotImplementedError, TypeError) as exc:
            msg = f"values of {name}, {column.type}, cannot be part of a name"
            raise RuleError(msg) from exc
        if len(values) > SAID:
            break
    return _Truth(f"column {name}", list(values))


def says(text: str, value: Any) -> bool:
    """True when a part of a name says a value: the same text, number or date."""
    if value is None or isinstance(value, bool):
        return False
    if isinstance(value, dt.datetime):
        return False
    if isinstance(value, dt.date):
        return text in {value.isoformat(), value.isoformat().replace("-", "")}
    if isinstance(value, int):
        return re.fullmatch(r"-?[0-9]+", text) is not None and int(text) == value
    if isinstance(value, str):
        day = re.fullmatch(r"\d{4}-\d{2}-\d{2}", value) is not None
        return text == value or (day and text == value.replace("-", ""))
    try:
        return bool(type(value)(text) == value)
    except (ArithmeticError, TypeError, ValueError):
        return False
