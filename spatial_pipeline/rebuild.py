"""Which partitions were built under another contract, schema or ingest code than today's.

Read from the store alone, so it does not matter who built what, when, and whether it was finished.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from spatial_pipeline.contract.models import Contract
from spatial_pipeline.ingest.probe import probe
from spatial_pipeline.results import Severity, Verdict
from spatial_pipeline.run import Pipeline
from spatial_pipeline.schema_change import schema_of
from spatial_pipeline.versions import Staging, Version, fingerprint


@dataclass(frozen=True)
class Outdated:
    """A partition that is to be made again.

    Attributes:
        partition: its key.
        why: what differs from today, in words.
        basis: hash of what it would be made of today; to try the same basis twice is of no use.

    """

    partition: str
    why: str
    basis: str


def outdated(pipeline: Pipeline, contract: Contract, partitions: Sequence[str]) -> list[Outdated]:
    """The partitions that were built before, and not as they would be built today.

    A partition that was never staged was not built. One that is held under today's contract is
    left alone until its source looks different, and so is one whose published schema is not that
    of the latest publication: nothing else could come of it.

    Args:
        pipeline: the pipeline.
        contract: the contract as it is today.
        partitions: keys to look at; the answer is in their order.

    """
    looking = _Looking(pipeline, contract)
    return [found for key in partitions for found in looking.at(key)]


class _Looking:
    """Today's contract, beside which every partition is held."""

    def __init__(self, pipeline: Pipeline, contract: Contract) -> None:
        self.pipeline = pipeline
        self.contract = contract
        self.ingest_key = contract.source.ingest_key
        self.rules_hash = contract.rules_hash
        latest = pipeline.store.latest(contract.name)
        self.schema = None if latest is None else self._schema(latest)

    def at(self, partition: str) -> Iterator[Outdated]:
        """The partition when it is outdated, else nothing."""
        store, name = self.pipeline.store, self.contract.name
        staging = store.staging(name, partition)
        if staging is None:
            return
        basis = fingerprint(self.ingest_key, self.rules_hash)
        if staging.ingest not in (None, self.ingest_key):
            yield Outdated(partition, "staged with other source options or ingest code", basis)
            return
        version = Version(name, partition, staging.version)
        published = store.published(name, partition)
        seen = None if published is None else (published.version, published.contract_hash)
        if seen == (version.id, self.rules_hash):
            if self._schema(version) != self.schema and self._changed(partition, staging):
                why = "published with a former schema, and its source has changed"
                yield Outdated(partition, why, self._of_source(partition))
            return
        verdict = store.verdict(version) if store.has(version) else None
        if verdict is None or not self._judged(verdict):
            yield Outdated(partition, "built under another contract", basis)
        elif self.pipeline.decide(self.contract, version).open:
            yield Outdated(partition, "proven, but not published", basis)
        elif self._changed(partition, staging):
            why = "held, and its source has changed since"
            yield Outdated(partition, why, self._of_source(partition))

    def _judged(self, verdict: Verdict) -> bool:
        """Whether the verdict is about every blocking rule as it is worded today."""
        known = {r.name: r.rule_hash for r in verdict.results}
        return verdict.contract_hash == self.rules_hash and all(
            known.get(rule.check_name) == rule.hash
            for rule in self.contract.effective_rules
            if rule.severity is Severity.ERROR
        )

    def _changed(self, partition: str, staging: Staging) -> bool:
        """Whether the source looks different; where that cannot be told, it does not."""
        now = self._glance(partition)
        return now is not None and now != staging.seen

    def _of_source(self, partition: str) -> str:
        return fingerprint(self.ingest_key, self.rules_hash, self._glance(partition))

    def _glance(self, partition: str) -> str | None:
        contract, pipeline = self.contract, self.pipeline
        return probe(
            contract.source, contract.base, partition, pipeline.allowed_sources, pipeline.limits
        ).seen

    def _schema(self, version: Version) -> str:
        return schema_of(self.pipeline.store.profile(version)).fingerprint
