"""Approval of new schemas by a person: the way out of ``on_schema_change: hold``."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from datetime import UTC, datetime

from spatial_pipeline.contract.models import Contract
from spatial_pipeline.gate.schema import schema_reasons, undeclared
from spatial_pipeline.model.schema_diff import SchemaApproval, SchemaEvidence
from spatial_pipeline.model.version import Version
from spatial_pipeline.pipeline.pipeline import Pipeline


@dataclass(frozen=True)
class Pending:
    """A staged version whose schema is not the one that readers know."""

    version: Version
    evidence: SchemaEvidence


def pending(
    pipeline: Pipeline, contract: Contract, partitions: Sequence[str | None] | None = None
) -> list[Pending]:
    """The versions that were staged last and are held for their schema.

    Args:
        pipeline: the pipeline.
        contract: the contract as it is today.
        partitions: partitions to examine; all that have a staged version unless given.

    """
    store = pipeline.store
    found: list[Pending] = []
    for key in store.staged_partitions(contract.name):
        if partitions is not None and key not in partitions:
            continue
        version = store.staged_version(contract.name, key)
        evidence = store.schema_evidence(version)
        if evidence is not None and schema_reasons(contract, evidence):
            found.append(Pending(version, evidence))
    return found


def taken_by_policy(pipeline: Pipeline, contract: Contract, version: Version) -> Pending | None:
    """A version whose schema differs and is published because ``on_schema_change`` says so.

    None when the schema is known, or a rule or a person declared the change. To be asked before
    the version is published.
    """
    evidence = pipeline.store.schema_evidence(version)
    if evidence is None or evidence.accepted:
        return None
    change = undeclared(contract, evidence.change)
    if not change or schema_reasons(contract, evidence):
        return None
    return Pending(version, replace(evidence, change=change))


def accept(
    pipeline: Pipeline, contract: Contract, partition: str | None, meant: Pending, by: str
) -> SchemaApproval:
    """Records that exactly this schema is intended.

    Args:
        pipeline: the pipeline.
        contract: the contract.
        partition: partition that it is accepted for; None for the whole dataset.
        meant: a version with the schema.
        by: person who accepts it.

    Raises:
        StoreError: the store cannot be written.

    """
    acceptance = SchemaApproval(
        schema=meant.evidence.fingerprint,
        by=by,
        at=datetime.now(UTC).isoformat(timespec="seconds"),
        change=str(meant.evidence.change),
    )
    pipeline.store.accept(contract.name, partition, acceptance)
    return acceptance
