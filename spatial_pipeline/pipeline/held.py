"""Lists staged versions that are held, unchecked or unpublished, read from the store alone."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any

from spatial_pipeline.alert.incidents import Incidents, observe
from spatial_pipeline.alert.problems import Key, Kind, Observation, Problem, shortened
from spatial_pipeline.contract.models import DatasetContract
from spatial_pipeline.contract.vocabulary import Severity
from spatial_pipeline.errors import SpatialPipelineError, StoreError
from spatial_pipeline.gate.decision import evaluate
from spatial_pipeline.model.result import Verdict
from spatial_pipeline.model.version import Publication, Version
from spatial_pipeline.store.versions import Store


@dataclass(frozen=True)
class Standing:
    """A partition whose last staged version is not published, or should not be.

    Attributes:
        dataset: name of the dataset.
        partition: partition key or None.
        version: id of the version that was staged last, None when it cannot be read.
        state: ``held`` by its verdict, ``unchecked``, or ``unpublished`` though it passed.
        since: ISO 8601 time in UTC of the first staged version that is not published.
        reasons: reasons.
        readers_see: id of the version that readers see, None when there is none.

    """

    dataset: str
    partition: str | None
    version: str | None
    state: str
    since: str
    reasons: tuple[str, ...]
    readers_see: str | None

    @property
    def title(self) -> str:
        """Dataset with partition."""
        return self.dataset if self.partition is None else f"{self.dataset}[{self.partition}]"

    def to_json(self) -> dict[str, Any]:
        """A JSON-ready dict."""
        return {
            "dataset": self.dataset,
            "partition": self.partition,
            "version": self.version,
            "state": self.state,
            "since": self.since,
            "reasons": list(self.reasons),
            "readers_see": self.readers_see,
        }


def partitions(store: Store, datasets: Iterable[str] | None = None) -> list[tuple[str, str | None]]:
    """Every partition with a staged version, of these datasets or of all."""
    names = sorted(store.datasets() if datasets is None else datasets)
    return [(name, partition) for name in names for partition in store.staged_partitions(name)]


def standing(
    store: Store,
    dataset: str,
    partition: str | None,
    contract: DatasetContract | None = None,
) -> Standing | None:
    """The problem of one partition; None when the version staged last is published.

    Args:
        store: the store.
        dataset: name of the dataset.
        partition: partition key or None.
        contract: the contract of today, to say whether its rules were checked; without it the
            stored verdict is taken as it is.

    """
    publication = _published(store, dataset, partition)
    seen = None if publication is None else publication.version
    try:
        version = store.staged_version(dataset, partition)
    except StoreError as exc:
        since = datetime.now(UTC).isoformat(timespec="seconds")
        return Standing(dataset, partition, None, "unchecked", since, (str(exc),), seen)
    verdict = store.verdict(version)
    blocking = () if verdict is None else _blocking(verdict)
    if seen == version.id and not blocking:
        return None
    if contract is not None:
        reasons = _decided(store, version, contract)
    else:
        taken_back = publication is not None and version.id in publication.withdrawn
        reasons = ("withdrawn by a rollback",) if taken_back else ()
        reasons += ("never checked",) if verdict is None else blocking
    state = "unchecked" if verdict is None else "held" if reasons else "unpublished"
    return Standing(
        dataset,
        partition,
        version.id,
        state,
        _since(store, version, publication),
        reasons or (_passed(store, version),),
        seen,
    )


def inventory(
    store: Store, contracts: Mapping[str, DatasetContract] | None = None
) -> list[Standing]:
    """Everything that is held, oldest first.

    Args:
        store: the store.
        contracts: the datasets to list, by name; all of the store unless given.

    """
    contracts = contracts if contracts is not None else {}
    found = [
        standing(store, dataset, partition, contracts.get(dataset))
        for dataset, partition in partitions(store, contracts or None)
    ]
    listed = [s for s in found if s is not None]
    return sorted(listed, key=lambda s: (s.since, s.dataset, s.partition or ""))


def observation(
    store: Store, at: float, incidents: Incidents, before: Sequence[Observation]
) -> Observation:
    """Adds the problems that the store shows to the observations.

    A held partition without an open blocking incident becomes a problem. Blocking incidents of a
    partition whose latest version is published again, for any reason, are closed.

    Args:
        store: the store.
        at: POSIX seconds.
        incidents: the open incidents.
        before: observations that come before this one.

    """
    known = dict(incidents)
    for earlier in before:
        known, _ = observe(known, earlier)
    open_: dict[tuple[str, str | None], list[Key]] = {}
    for key, incident in known.items():
        if incident.fact.severity is Severity.ERROR and key.kind in _ABOUT_VERSIONS:
            open_.setdefault((key.dataset, key.partition), []).append(key)
    facts: list[Problem] = []
    right: list[Key] = []
    for place in partitions(store):
        held = standing(store, *place)
        if held is None:
            right += open_.get(place, [])
        elif place not in open_:
            facts.append(
                Problem(
                    Key(*place, Kind.HELD, "published"),
                    Severity.ERROR,
                    shortened(f"since {held.since}: {'; '.join(held.reasons)}"),
                    status=held.state,
                    version=held.version,
                    asset=f"{held.dataset}/published",
                )
            )
    return Observation.of(at, facts, right)


_ABOUT_VERSIONS = (Kind.RULE, Kind.HELD, Kind.UNCHECKED)


def _blocking(verdict: Verdict) -> tuple[str, ...]:
    said = tuple(f"{r.name}: {r.status.value}: {r.message}" for r in verdict.results if r.blocks)
    return said or (() if verdict.results else ("never checked",))


def _published(store: Store, dataset: str, partition: str | None) -> Publication | None:
    try:
        return store.published(dataset, partition)
    except StoreError:
        return None


def _decided(store: Store, version: Version, contract: DatasetContract) -> tuple[str, ...]:
    """Reasons of the gate, or why it cannot say: listing must not fail for a damaged store."""
    try:
        return evaluate(contract, version, store, proven=False).reasons
    except (OSError, SpatialPipelineError) as exc:
        return (str(exc),)


def _passed(store: Store, version: Version) -> str:
    told = "it passed but was not published"
    try:
        schema = store.schema_evidence(version)
    except (OSError, SpatialPipelineError):
        return told
    if schema is None or schema.accepted or not schema.change:
        return told
    return f"{told}; its schema differs from that of {schema.reference}: {schema.change}"


def _since(store: Store, version: Version, publication: Publication | None) -> str:
    """Staging time of the first version that was not published."""
    times = sorted(store.staged_at(v) for v in store.versions(version.dataset, version.partition))
    if publication is not None:
        known = Version(version.dataset, version.partition, publication.version)
        last = store.staged_at(known) if store.has(known) else 0.0
        times = [t for t in times if t > last] or [store.staged_at(version)]
    at = times[0] if times else 0.0
    return datetime.fromtimestamp(at, UTC).isoformat(timespec="seconds")
