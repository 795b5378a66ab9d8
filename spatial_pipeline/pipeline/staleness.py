"""Partitions built under another contract, schema or ingest code than today's.

Read from the store alone, so it does not matter which run built a partition, when, and whether the
run finished.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from spatial_pipeline.contract.models import Contract
from spatial_pipeline.gate.decision import covered, outlived
from spatial_pipeline.ingest.probe import probe_each
from spatial_pipeline.model.schema_diff import schema_of
from spatial_pipeline.model.version import Version
from spatial_pipeline.pipeline.pipeline import Pipeline
from spatial_pipeline.runtime.hashing import fingerprint


@dataclass(frozen=True)
class Outdated:
    """A partition that must be rebuilt.

    Attributes:
        partition: its key.
        why: readable differences from today.
        basis: hash of today's inputs of a rebuild; retrying on the same basis is useless.

    """

    partition: str
    why: str
    basis: str


def outdated(pipeline: Pipeline, contract: Contract, partitions: Sequence[str]) -> list[Outdated]:
    """Partitions that were built under other inputs than today's.

    A partition that was never staged was not built. One that is held under today's contract is left
    alone until its source changes, and so is one whose published schema is not that of the latest
    publication: a rebuild would have the same result.

    Args:
        pipeline: the pipeline.
        contract: the contract as it is today.
        partitions: keys to examine; the answer is in their order.

    """
    looking = _Looking(pipeline, contract)
    found = {key: looking.at(key) for key in partitions}
    waiting = {k: f for k, f in found.items() if isinstance(f, _Waiting)}
    for key, now in looking.glance(list(waiting)):
        found[key] = waiting[key].after(key, now)
    return [f for f in found.values() if isinstance(f, Outdated)]


@dataclass(frozen=True)
class _Waiting:
    """A partition that must be rebuilt once its source has changed.

    Attributes:
        why: the reason to give then.
        seen: token of its source's state when it was staged.
        parts: inputs of its basis, apart from the source.

    """

    why: str
    seen: str | None
    parts: tuple[str, str]

    def after(self, partition: str, now: str | None) -> Outdated | None:
        """The partition, unless its source is unchanged or unknown."""
        if now is None or now == self.seen:
            return None
        return Outdated(partition, self.why, fingerprint(*self.parts, now))


class _Looking:
    """Compares partitions with today's contract."""

    def __init__(self, pipeline: Pipeline, contract: Contract) -> None:
        self.pipeline = pipeline
        self.contract = contract
        self.ingest_key = contract.source.ingest_key
        self.rules_hash = contract.rules_hash
        latest = pipeline.store.latest(contract.name)
        self.schema = None if latest is None else self._schema(latest)

    def at(self, partition: str) -> Outdated | _Waiting | None:
        """The state of a partition by the store alone."""
        store, name = self.pipeline.store, self.contract.name
        staging = store.staging(name, partition)
        if staging is None:
            return None
        parts = (self.ingest_key, self.rules_hash)
        basis = fingerprint(*parts)
        if staging.ingest not in (None, self.ingest_key):
            why = "staged with other source options or ingest code"
            return Outdated(partition, why, basis)
        version = Version(name, partition, staging.version)
        published = store.published(name, partition)
        seen = None if published is None else (published.version, published.contract_hash)
        if seen == (version.id, self.rules_hash):
            if older := outlived(self.contract, version, store):
                return Outdated(partition, "; ".join(older), fingerprint(*parts, older))
            if self._schema(version) == self.schema:
                return None
            why = "published with a former schema, and its source has changed"
            return _Waiting(why, staging.seen, parts)
        verdict = store.verdict(version) if store.has(version) else None
        current = verdict is not None and verdict.contract_hash == self.rules_hash
        if not (current and covered(self.contract, verdict)):
            return Outdated(partition, "built under another contract", basis)
        if self.pipeline.decide(self.contract, version).open:
            return Outdated(partition, "proven, but not published", basis)
        return _Waiting("held, and its source has changed since", staging.seen, parts)

    def glance(self, partitions: Sequence[str]) -> Iterator[tuple[str, str | None]]:
        """Tokens of the present state of the partitions' sources; None where unknown."""
        contract, pipeline = self.contract, self.pipeline
        where = (pipeline.allowed_sources, pipeline.limits, pipeline.database_url)
        for key, state in probe_each(contract.source, contract.base, partitions, *where):
            if key is not None:
                yield key, state.seen

    def _schema(self, version: Version) -> str:
        return schema_of(self.pipeline.store.profile(version)).fingerprint
