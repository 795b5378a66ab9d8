"""Requirements among the parameters of a rule, and common parameters that it cannot use.

Declared once by each rule; the loader, the JSON schema and the catalogue read it from here.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

WHOLE = "the rule judges the source as a whole, not single features"
NUMBER = "the rule judges one number, so there are no violations to accept"
UNPLACED = "violations of the rule have no place"
NO_FEATURES: Mapping[str, str] = {"where": WHOLE, "except_keys": WHOLE}
NO_PLACES: Mapping[str, str] = {"except": UNPLACED, "only_within": UNPLACED, **NO_FEATURES}
ONE_NUMBER: Mapping[str, str] = dict.fromkeys(
    ("max_violations", "max_fraction", "warn_at", "error_at", "except", "only_within",
     "except_keys", "baseline"), NUMBER,
)  # fmt: skip
ONE_FACT: Mapping[str, str] = {**ONE_NUMBER, **NO_FEATURES}
RASTER: Mapping[str, str] = {
    "where": "a raster has no columns",
    "except_keys": "a raster has no features",
}
TWO_GRADES: Mapping[str, Any] = {
    "if": {
        "anyOf": [
            {"required": [n], "properties": {n: {"not": {"const": None}}}}
            for n in ("warn_at", "error_at")
        ]
    },
    "then": {
        "required": ["warn_at", "error_at"],
        "properties": {
            "warn_at": {"type": "number"},
            "error_at": {"type": "number"},
            "severity": {"const": "error"},
            "max_violations": {"const": 0},
            "max_fraction": {"enum": [None, 0]},
        },
        "oneOf": [
            {"properties": {n: {"type": "integer"} for n in ("warn_at", "error_at")}},
            {"properties": {n: {"exclusiveMaximum": 1} for n in ("warn_at", "error_at")}},
        ],
    },
}
"""JSON schema: warn_at and error_at go together, and stand in place of severity."""
ABSENT: tuple[Any, ...] = (None, {}, "")
"""Values that say as much as a parameter that is left out."""


@dataclass(frozen=True)
class Needs:
    """Groups of parameters of which a rule needs one.

    Attributes:
        groups: names as written; those of a group go together.
        several: more than one group may be given.
        values: the only value that counts, of parameters that have one.

    """

    groups: tuple[tuple[str, ...], ...] = ()
    several: bool = False
    values: tuple[tuple[str, Any], ...] = ()

    @classmethod
    def one(cls, *names: str, **values: Any) -> Needs:
        """Exactly one of these parameters."""
        return cls(tuple((n,) for n in names), values=tuple(values.items()))

    @classmethod
    def some(cls, *names: str, **values: Any) -> Needs:
        """At least one of these parameters."""
        return cls(tuple((n,) for n in names), several=True, values=tuple(values.items()))

    @property
    def words(self) -> str:
        """Parameters to give, in words: ``equals or any_of``."""
        only = dict(self.values)
        groups = [
            " and ".join(f"{n}: {_yaml(only[n])}" if n in only else n for n in group)
            for group in self.groups
        ]
        if self.several and len(groups) == 2:
            return f"{groups[0]}, {groups[1]} or both"
        comma = "," if any(len(g) > 1 for g in self.groups) else ""
        return f"{', '.join(groups[:-1])}{comma} or {groups[-1]}"

    def mistake(self, given: Mapping[str, Any]) -> str:
        """Describe the mistake in the parameters of a rule; empty when there is none."""
        if not self.groups:
            return ""
        only = dict(self.values)
        there = {
            name
            for group in self.groups
            for name in group
            if (given.get(name) == only[name] if name in only else _present(given.get(name)))
        }
        whole = [g for g in self.groups if there.issuperset(g)]
        begun = [g for g in self.groups if there.intersection(g)]
        if not begun or (len(begun) > 1 and not self.several):
            return f"give {self.words}"
        broken = [g for g in begun if g not in whole]
        return f"{' and '.join(broken[0])} go together" if broken else ""

    def schema(self) -> dict[str, Any]:
        """The same as JSON schema."""
        if not self.groups:
            return {}
        only = dict(self.values)

        def there(name: str) -> dict[str, Any]:
            value = {"const": only[name]} if name in only else {"not": {"enum": list(ABSENT)}}
            return {"required": [name], "properties": {name: value}}

        def group(names: tuple[str, ...]) -> dict[str, Any]:
            return {"allOf": [there(n) for n in names]} if len(names) > 1 else there(names[0])

        found = {"anyOf" if self.several else "oneOf": [group(g) for g in self.groups]}
        together = [g for g in self.groups if len(g) > 1]
        if together:
            found["allOf"] = [
                {"anyOf": [group(g), {"not": {"anyOf": [there(n) for n in g]}}]} for g in together
            ]
        return found


def _present(value: Any) -> bool:
    return not any(value is a or (a is not None and value == a) for a in ABSENT)


def _yaml(value: Any) -> str:
    return str(value).lower() if isinstance(value, bool) else str(value)


__all__ = [
    "NO_FEATURES",
    "NO_PLACES",
    "ONE_FACT",
    "ONE_NUMBER",
    "RASTER",
    "TWO_GRADES",
    "WHOLE",
    "Needs",
]
