"""Problems, and the observations that report or clear them.

A :class:`Problem` is one thing that is wrong; an observation also lists the things that were
examined and are right. Only something that was examined can close an incident; silence never does.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from enum import StrEnum

from spatial_pipeline.contract.vocabulary import Severity
from spatial_pipeline.model.result import Result
from spatial_pipeline.model.version import Version
from spatial_pipeline.model.violation import Violation

FIRST_DEFECTS = 3
"""Violations that a message lists."""
LONGEST = 500
"""Characters of a reason that a problem keeps."""


Place = tuple[str, str | None, str]
"""Dataset, partition, and the name of an alert channel."""


class Kind(StrEnum):
    """Kinds of problems."""

    RULE = "rule"
    UNCHECKED = "unchecked"
    HELD = "held"
    RUN = "run"
    LATE = "late"
    CHANNEL = "channel"
    CONTRACT = "contract"
    SCHEMA = "schema"


@dataclass(frozen=True)
class Key:
    """The subject of an incident; there is at most one open incident per key.

    Attributes:
        dataset: name of the dataset, or of an asset or job outside the contracts.
        partition: partition key or None.
        kind: kind of problem.
        name: name of the check, of the step, of the channel.

    """

    dataset: str
    partition: str | None
    kind: Kind
    name: str

    @property
    def title(self) -> str:
        """Dataset with partition."""
        return self.dataset if self.partition is None else f"{self.dataset}[{self.partition}]"

    @property
    def place(self) -> Place:
        """Dataset and partition: problems of one place are told in one message."""
        # A channel that is down must not wait for another one.
        return self.dataset, self.partition, self.name if self.kind is Kind.CHANNEL else ""


@dataclass(frozen=True)
class Problem:
    """A problem.

    Attributes:
        key: its subject.
        severity: ``ERROR`` holds a version back, ``WARN`` does not.
        summary: one sentence for people.
        status: how the evaluation ended (``failed``, ``error``, ``timeout``, ``held`` …).
        violations: number of violations, None where nothing is counted.
        checked: number of features or pixels checked, None where nothing is counted.
        value: measured value, None where nothing is measured.
        limit: bound for the value.
        sample: the first violations.
        version: id of the version that was checked.
        layer: address of the violation layer.
        run_id: Dagster run in which it was seen.
        asset: asset key as ``a/b``, for links.
        owners: owners of the asset.

    """

    key: Key
    severity: Severity
    summary: str
    status: str = "failed"
    violations: int | None = None
    checked: int | None = None
    value: float | None = None
    limit: float | None = None
    sample: tuple[Violation, ...] = ()
    version: str | None = None
    layer: str | None = None
    run_id: str | None = None
    asset: str | None = None
    owners: tuple[str, ...] = ()


@dataclass(frozen=True)
class Observation:
    """The examined subjects, and the problems among them.

    Attributes:
        at: POSIX seconds.
        judged: all examined subjects; those without a problem are right.
        facts: the problems; their keys are among ``judged``.

    """

    at: float
    judged: frozenset[Key]
    facts: tuple[Problem, ...] = ()

    @classmethod
    def of(cls, at: float, facts: Sequence[Problem], right: Sequence[Key] = ()) -> Observation:
        """An observation of some problems, and of some subjects without one."""
        wrong = {f.key: f for f in facts}
        return cls(at, frozenset(wrong) | frozenset(right), tuple(wrong.values()))


def rule_key(dataset: str, partition: str | None, name: str) -> Key:
    """Subject of an incident about one rule."""
    return Key(dataset, partition, Kind.RULE, name)


def of_result(
    version: Version,
    result: Result,
    *,
    layer: str | None = None,
    run_id: str | None = None,
    owners: tuple[str, ...] = (),
) -> Problem | None:
    """The problem in one result; None when it passed."""
    if result.passed:
        return None
    return Problem(
        key=rule_key(version.dataset, version.partition, result.name),
        severity=result.severity,
        summary=shortened(result.message),
        status=result.status.value,
        violations=result.violations,
        checked=result.checked,
        value=result.value,
        limit=result.threshold,
        sample=result.sample[:FIRST_DEFECTS],
        version=version.id,
        layer=layer if result.violations else None,
        run_id=run_id,
        asset=f"{version.dataset}/staged",
        owners=owners,
    )


def shortened(text: str) -> str:
    """One line of bounded length."""
    line = " ".join(text.split())
    return line if len(line) <= LONGEST else f"{line[: LONGEST - 1]}…"
