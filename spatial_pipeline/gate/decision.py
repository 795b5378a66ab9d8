"""The gate's decision whether a version may be published.

Dagster's blocking checks stop a downstream asset inside one run only; a later run of the downstream
asset alone, a backfill in several runs, ``eager()`` automation or a person in the UI bypass them.
So publishing itself asks the gate, which evaluates the verdict stored beside exactly this version
against the contract as it is today.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Protocol

from spatial_pipeline.contract.models import DatasetContract
from spatial_pipeline.contract.rules import OtherDataset, Rule
from spatial_pipeline.contract.vocabulary import Severity, Status
from spatial_pipeline.errors import GateClosedError, StoreError
from spatial_pipeline.gate.schema import schema_reasons
from spatial_pipeline.model.result import Result, Verdict
from spatial_pipeline.model.schema_diff import SchemaEvidence
from spatial_pipeline.model.version import Publication, Version


@dataclass(frozen=True)
class Decision:
    """Open, or held with every reason.

    Attributes:
        version: the version in question.
        reasons: reasons why it is held; empty means open.
        verdict: the verdict stored beside it.

    """

    version: Version
    reasons: tuple[str, ...]
    verdict: Verdict | None = None

    @property
    def open(self) -> bool:
        """True when the version may be published."""
        return not self.reasons


class Evidence(Protocol):
    """The store, as the gate reads it."""

    def verdict(self, version: Version) -> Verdict | None:
        """The verdict beside a version."""

    def content(self, version: Version) -> str:
        """Digest of the bytes of a version as they are now, if they are those that were staged."""

    def schema_evidence(self, version: Version) -> SchemaEvidence | None:
        """Compare the schema of a version with that of the published one."""

    def published(self, dataset: str, partition: str | None) -> Publication | None:
        """Publication that readers see."""


def evaluate(
    contract: DatasetContract,
    version: Version,
    store: Evidence,
    *,
    by_name: bool = False,
    proven: bool = True,
) -> Decision:
    """Gathers all evidence about a version, and decides; see :func:`decide`.

    Args:
        contract: the contract as it is today.
        version: the version to publish.
        store: the store that has it.
        by_name: a person asks for this version by name, which accepts its schema and takes a
            withdrawal back.
        proven: compare the bytes of the version with its verdict. Publishing always does; a look
            at the state of the store does not read all data for it.

    Raises:
        GateClosedError: the bytes cannot be read, or are not those that were staged.
        StoreError: what is published cannot be read.

    """
    verdict = store.verdict(version)
    try:
        content = store.content(version) if proven else None
    except StoreError as exc:
        raise GateClosedError(f"{version} is held: {exc}", (str(exc),)) from exc
    publication = None if by_name else store.published(version.dataset, version.partition)
    withdrawn = () if publication is None else publication.withdrawn
    schema = None if by_name else store.schema_evidence(version)
    current = _published_now(store, version)
    return decide(contract, version, verdict, withdrawn, schema, content, current)


def decide(
    contract: DatasetContract,
    version: Version,
    verdict: Verdict | None,
    withdrawn: Sequence[str] = (),
    schema: SchemaEvidence | None = None,
    content: str | None = None,
    current: Callable[[str], str | None] | None = None,
) -> Decision:
    """Fails closed: all blocking rules of today's contract must have passed on this version.

    Its schema must be the one that readers know, unless the contract declares the change or a
    person accepted it.

    Args:
        contract: the contract as it is today.
        version: the version to publish.
        verdict: the verdict stored beside it.
        withdrawn: ids of versions withdrawn by a rollback.
        schema: difference from the schema that readers know; None when there is none to compare
            with.
        content: digest of the version's bytes as they are now; not compared unless given.
            Publishing always gives it.
        current: name of another dataset → id of its version that a check would compare with now,
            not compared unless given.

    """
    reasons: list[str] = []
    if version.id in withdrawn:
        reasons.append("withdrawn by a rollback")
    if verdict is None:
        reasons.append("never checked")
        return Decision(version, tuple(reasons), verdict)
    judged = (verdict.dataset, verdict.partition, verdict.version)
    if judged != (version.dataset, version.partition, version.id):
        reasons.append(f"the verdict is about {'/'.join(str(j) for j in judged)}")
        return Decision(version, tuple(reasons), verdict)
    if content is not None and verdict.content is None:
        reasons.append("checked by an earlier release, which wrote no digest: check it again")
    elif content is not None and verdict.content != content:
        reasons.append("its files changed since they were checked: run it again")
    results = {r.name: r for r in verdict.results}
    for rule in contract.effective_rules:
        if rule.severity is not Severity.ERROR:
            continue
        result = results.get(rule.check_name)
        if result is None:
            reasons.append(f"{rule.check_name}: never checked")
        elif result.rule_hash != rule.hash:
            reasons.append(f"{rule.check_name}: the rule changed since it was checked")
        elif not result.passed and not _warns(rule, result):
            reasons.append(f"{rule.check_name}: {result.status.value}: {result.message}")
        elif current is not None:
            reasons += _aged(rule, result, version.dataset, current)
    reasons += schema_reasons(contract, schema)
    return Decision(version, tuple(reasons), verdict)


def _warns(rule: Rule, result: Result) -> bool:
    """True when a rule with two grades was evaluated and reached the lower one only."""
    return rule.graded and result.status is Status.FAILED and not result.blocks


def _aged(
    rule: Rule, result: Result, dataset: str, current: Callable[[str], str | None]
) -> list[str]:
    """Reasons why a result is not good any more: another dataset was published since.

    Args:
        rule: the rule as it is today.
        result: its result.
        dataset: the dataset that was checked; its own publications age nothing.
        current: see :func:`decide`.

    """
    reasons: list[str] = []
    for index, other in enumerate(rule.others()):
        if not isinstance(other, OtherDataset) or other.dataset == dataset:
            continue
        mark = f"{index}:"
        was = next((v for k, v in result.against.items() if k.startswith(mark)), None)
        now = current(other.dataset)
        if None not in (was, now) and was != now:
            reasons.append(
                f"{rule.check_name}: compared with version {was} of {other.dataset}, of which {now}"
                " is published now: check it again"
            )
    return reasons


def outlived(contract: DatasetContract, version: Version, store: Evidence) -> list[str]:
    """Reasons why blocking results are not good any more: other datasets were published since."""
    verdict = store.verdict(version)
    results = {} if verdict is None else {r.name: r for r in verdict.results}
    current = _published_now(store, version)
    return [
        reason
        for rule in contract.effective_rules
        if rule.severity is Severity.ERROR and rule.check_name in results
        for reason in _aged(rule, results[rule.check_name], version.dataset, current)
    ]


def covered(contract: DatasetContract, verdict: Verdict | None) -> bool:
    """True when every blocking rule of today's contract was evaluated."""
    known = {} if verdict is None else {r.name: r.rule_hash for r in verdict.results}
    return all(
        known.get(rule.check_name) == rule.hash
        for rule in contract.effective_rules
        if rule.severity is Severity.ERROR
    )


def _published_now(store: Evidence, version: Version) -> Callable[[str], str | None]:
    """The version of another dataset that a check of a version would compare with now.

    The other dataset's same partition comes first.
    """

    def current(dataset: str) -> str | None:
        for partition in dict.fromkeys((version.partition, None)):
            if (publication := store.published(dataset, partition)) is not None:
                return publication.version
        return None

    return current


def merged(
    contract: DatasetContract,
    version: Version,
    former: Verdict | None,
    results: Sequence[Result],
    checked_at: str,
) -> Verdict:
    """The verdict after some or all rules were checked again.

    Results of rules that were not checked now are kept when the rule is unchanged; results of rules
    that left the contract are dropped.

    Args:
        contract: the contract as it is today.
        version: the version that was checked.
        former: the verdict before, None when there was none.
        results: results of this check.
        checked_at: ISO 8601 time in UTC.

    """
    same = former is not None and former.version == version.id
    kept = {r.name: r for r in former.results} if former is not None and same else {}
    kept.update({r.name: r for r in results})
    current = [
        kept[rule.check_name]
        for rule in contract.effective_rules
        if rule.check_name in kept and kept[rule.check_name].rule_hash == rule.hash
    ]
    return Verdict(
        dataset=version.dataset,
        partition=version.partition,
        version=version.id,
        contract_hash=contract.rules_hash,
        results=tuple(current),
        checked_at=checked_at,
    )
