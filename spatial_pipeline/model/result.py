"""Result of one rule, and the verdict over all rules of a version."""

from __future__ import annotations

import dataclasses
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any, Self

from spatial_pipeline.contract.vocabulary import Family, Severity, Status
from spatial_pipeline.model.violation import Violation
from spatial_pipeline.runtime.json_text import json_text


def key_text(key: Sequence[Any]) -> str:
    """A key for people: text and numbers as they are, lists and booleans as JSON writes them."""
    return "/".join(json_text(v) if isinstance(v, (bool, list, dict)) else str(v) for v in key)


def keys_text(keys: Sequence[Sequence[Any]]) -> str:
    """Keys for people: ``08001, 08005``."""
    return ", ".join(map(key_text, keys))


@dataclass(frozen=True)
class Result:
    """One rule on one version.

    Attributes:
        name: name of the check (the rule's id unless the contract names it).
        rule: id of the rule.
        rule_hash: hash of the rule with its parameters, as evaluated.
        family: family of the rule.
        severity: ``ERROR`` blocks; of a rule with ``warn_at`` the grade that was reached.
        status: how the evaluation ended.
        checked: number of features, pixels or properties checked.
        violations: number of violations.
        value: measured value.
        threshold: bound for ``value``.
        message: one sentence for people.
        elapsed_s: working time, summed over threads.
        sample: the first violations, at most ``SAMPLE_SIZE``.
        against: version ids of the other datasets that were compared, by their reference.
        excepted: suppressed violations, by the kind of suppression (areas, keys, baseline).

    """

    name: str
    rule: str
    rule_hash: str
    family: Family
    severity: Severity
    status: Status
    checked: int = 0
    violations: int = 0
    value: float | None = None
    threshold: float | None = None
    message: str = ""
    elapsed_s: float = 0.0
    sample: tuple[Violation, ...] = ()
    against: dict[str, str] = field(default_factory=dict)
    excepted: dict[str, int] = field(default_factory=dict)

    @property
    def passed(self) -> bool:
        """True only for ``Status.PASSED``."""
        return self.status is Status.PASSED

    @property
    def blocks(self) -> bool:
        """True when this result alone keeps the version from being published."""
        return not self.passed and self.severity is Severity.ERROR

    def to_json(self) -> dict[str, Any]:
        """A JSON-ready dict; :meth:`from_json` is its inverse."""
        value = dataclasses.asdict(self)
        value["passed"] = self.passed
        return value

    @classmethod
    def from_json(cls, value: dict[str, Any]) -> Self:
        """The result that :meth:`to_json` wrote."""
        value = {k: v for k, v in value.items() if k != "passed"}
        value["family"] = Family(value["family"])
        value["severity"] = Severity(value["severity"])
        value["status"] = Status(value["status"])
        value["sample"] = tuple(
            Violation(
                keys=tuple(tuple(k) for k in v["keys"]),
                reason=v["reason"],
                location=None if v["location"] is None else (v["location"][0], v["location"][1]),
                measure=v["measure"],
                unit=v["unit"],
            )
            for v in value["sample"]
        )
        return cls(**value)


@dataclass(frozen=True)
class Verdict:
    """All results of one version; stored beside it.

    Attributes:
        dataset: name of the dataset.
        partition: partition key or None.
        version: id of the version that was checked.
        contract_hash: hash of the contract's rules at the last check.
        results: one result a rule, in the order of the contract.
        checked_at: ISO 8601 time in UTC of the last change.
        content: digest of the bytes that were checked; None in verdicts of earlier releases.

    """

    dataset: str
    partition: str | None
    version: str
    contract_hash: str
    results: tuple[Result, ...]
    checked_at: str
    content: str | None = field(default=None, compare=False)

    @property
    def passed(self) -> bool:
        """True when no result blocks; the gate asks more than this."""
        return bool(self.results) and not any(r.blocks for r in self.results)

    def to_json(self) -> dict[str, Any]:
        """A JSON-ready dict; :meth:`from_json` is its inverse."""
        return {
            "dataset": self.dataset,
            "version": self.version,
            "partition": self.partition,
            "contract_hash": self.contract_hash,
            "checked_at": self.checked_at,
            "passed": self.passed,
            "content": self.content,
            "results": [r.to_json() for r in self.results],
        }

    @classmethod
    def from_json(cls, value: dict[str, Any]) -> Self:
        """The verdict that :meth:`to_json` wrote."""
        return cls(
            dataset=value["dataset"],
            partition=value["partition"],
            version=value["version"],
            contract_hash=value["contract_hash"],
            results=tuple(Result.from_json(r) for r in value["results"]),
            checked_at=value["checked_at"],
            content=value.get("content"),
        )
