"""Partitions that a run would bring forward: never staged, interrupted, or with a new source.

Read from the store alone, so it does not matter why a night was missed: no scheduler, a dead
worker, a server out of reach, a file that came late.
"""

from __future__ import annotations

from collections.abc import Sequence

from spatial_pipeline.contract.models import Contract
from spatial_pipeline.gate.decision import covered
from spatial_pipeline.ingest.probe import probe_each
from spatial_pipeline.model.version import Version
from spatial_pipeline.pipeline.pipeline import Pipeline

MOST_PROBED = 60
"""Sources of held partitions that are looked at; the last ones of the list."""


def missing(pipeline: Pipeline, contract: Contract, partitions: Sequence[str]) -> list[str]:
    """Partitions of which readers do not see what was delivered, and a run may change that.

    What is held is left alone until its source changes: a run would have the same result.

    Args:
        pipeline: the pipeline.
        contract: the contract as it is today.
        partitions: keys to examine; the answer is in their order.

    """
    held: dict[str, str | None] = {}
    found: set[str] = set()
    for key in partitions:
        staging = pipeline.store.staging(contract.name, key)
        if staging is None:
            found.add(key)
            continue
        version = Version(contract.name, key, staging.version)
        published = pipeline.store.published(contract.name, key)
        if published is not None and published.version == version.id:
            continue
        verdict = pipeline.store.verdict(version) if pipeline.store.has(version) else None
        if not covered(contract, verdict) or pipeline.decide(contract, version).open:
            found.add(key)
        else:
            held[key] = staging.seen
    probed = list(held)[-MOST_PROBED:]
    where = (pipeline.allowed_sources, pipeline.limits, pipeline.database_url)
    for probed_key, state in probe_each(contract.source, contract.base, probed, *where):
        if probed_key and state.seen is not None and state.seen != held[probed_key]:
            found.add(probed_key)
    return [key for key in partitions if key in found]
