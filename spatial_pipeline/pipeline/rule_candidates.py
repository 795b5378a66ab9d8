"""Rules that a profile tries on a source, and the names that tell several of one kind apart."""

from __future__ import annotations

import math
import re
from collections import Counter
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Any

from spatial_pipeline.contract.vocabulary import Bounds

Parameters = dict[str, Any]
FILE, COLUMNS, GEOMETRY, TOPOLOGY, PIXELS = "file", "columns", "geometry", "topology", "pixels"
SECTIONS = {
    FILE: "The file.",
    COLUMNS: "The columns.",
    GEOMETRY: "Single geometries.",
    TOPOLOGY: "Features beside each other.",
    PIXELS: "The pixels.",
}
"""Sections of an inferred contract, in their order, with their headings."""


@dataclass(frozen=True)
class RuleCandidate:
    """Rules of one kind to try, strictest first: the first that holds is kept.

    Attributes:
        section: section of the contract.
        options: parameters of the rules; when none holds, the first is written as a comment.
        label: tells several rules of one id apart, such as a column.
        remark: comment beside the rule, where there is something to say.
        advised: False writes the rule as a comment without trying it, with the remark as reason.

    """

    section: str
    options: tuple[Parameters, ...]
    label: str = ""
    remark: str = ""
    advised: bool = True

    @classmethod
    def of(
        cls, section: str, rule: str, *options: Parameters, label: str = "", remark: str = ""
    ) -> RuleCandidate:
        """A rule with several sets of parameters; without any, the bare rule."""
        tried = tuple({"rule": rule, **o} for o in options) or ({"rule": rule},)
        return cls(section, tried, label, remark)

    @classmethod
    def unasked(cls, section: str, rule: Parameters, remark: str, label: str = "") -> RuleCandidate:
        """A rule that only a person can decide about."""
        return cls(section, (rule,), label, remark, advised=False)

    @property
    def name(self) -> str:
        """Name of the rule where several have one id."""
        return name_of(str(self.options[0]["rule"]), self.label)


def name_of(identity: str, label: str) -> str:
    """Name of a rule: its id, with a label where there is one."""
    return f"{identity}_{label}" if label else identity


def named(rules: Sequence[tuple[Parameters, str]]) -> list[Parameters]:
    """Rules with their names; an id that occurs once needs none.

    Args:
        rules: rules with a name each, which need not be unique.

    """
    often = Counter(str(rule["rule"]) for rule, _ in rules)
    taken: set[str] = set()
    out = []
    for rule, name in rules:
        identity = str(rule["rule"])
        wanted = identity
        if often[identity] > 1:
            wanted = re.sub(r"[^A-Za-z0-9_]+", "_", name).strip("_") or identity
        free, number = wanted, 1
        while free in taken:
            number += 1
            free = f"{wanted}_{number}"
        taken.add(free)
        out.append(rule if free == identity else {"rule": identity, "name": free, **rule})
    return out


def fitting(candidates: Iterable[RuleCandidate]) -> list[RuleCandidate]:
    """The candidates, each rule once: equal ones come from several places."""
    seen: set[str] = set()
    out = []
    for candidate in candidates:
        key = repr(candidate.options)
        if key not in seen:
            seen.add(key)
            out.append(candidate)
    return out


def rounded_down(value: float, digits: int = 2) -> float:
    """A number of few digits that is not larger."""
    return _rounded(value, digits, math.floor)


def rounded_up(value: float, digits: int = 2) -> float:
    """A number of few digits that is not smaller."""
    return _rounded(value, digits, math.ceil)


def _rounded(value: float, digits: int, direction: Any) -> float:
    if not value or not math.isfinite(value):
        return value
    places = digits - 1 - math.floor(math.log10(abs(value)))
    step = 10.0**-places
    found = round(direction(value / step) * step, max(places, 0))
    kept = found <= value if direction is math.floor else found >= value
    return found if kept else value


def rounded_out(bounds: Bounds) -> list[float]:
    """A box around the bounds with short numbers, at most a thousandth of the extent larger."""
    xmin, ymin, xmax, ymax = bounds
    # Finer than the numbers themselves a box cannot be.
    finest = 1e-9 * max(1.0, *map(abs, bounds))
    size = max(xmax - xmin, ymax - ymin, finest)
    decimals = 3 - math.floor(math.log10(size))
    step = 10.0**-decimals

    def down(value: float) -> float:
        return round((math.floor(value / step) - 1) * step, max(decimals, 0))

    return [down(xmin), down(ymin), -down(-xmax), -down(-ymax)]


__all__ = [
    "COLUMNS",
    "FILE",
    "GEOMETRY",
    "PIXELS",
    "SECTIONS",
    "TOPOLOGY",
    "Parameters",
    "RuleCandidate",
    "fitting",
    "name_of",
    "named",
    "rounded_down",
    "rounded_out",
    "rounded_up",
]
