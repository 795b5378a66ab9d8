"""Metrics of all datasets, read from the store."""

from __future__ import annotations

import contextlib
import shutil
import time
from datetime import datetime

from spatial_pipeline.errors import StoreError
from spatial_pipeline.model.version import Version
from spatial_pipeline.pipeline.held import partitions, standing
from spatial_pipeline.report.openmetrics import Gauge
from spatial_pipeline.store.versions import Store


def store_metrics(store: Store, now: float | None = None) -> list[Gauge]:
    """Published age, what is held, violations by rule, times and sizes.

    Args:
        store: the store.
        now: POSIX seconds; the present unless given.

    """
    now = time.time() if now is None else now
    age = Gauge(
        "spatial_published_age_seconds", "Age of the publication that readers see.", "seconds"
    )
    held = Gauge("spatial_held", "1 for a partition whose last staged version is not published.")
    count = Gauge("spatial_held_partitions", "Number of partitions that are not published.")
    violations = Gauge(
        "spatial_violations", "Violations of a rule in the version that was staged last."
    )
    passed = Gauge("spatial_rule_passed", "1 when the rule passed in the version staged last.")
    duration = Gauge(
        "spatial_rule_duration_seconds", "Working time of a rule, summed over threads.", "seconds"
    )
    staged = Gauge("spatial_staged_age_seconds", "Age of the last staged version.", "seconds")
    versions = Gauge("spatial_versions", "Versions of a partition in the store.")
    free = Gauge("spatial_store_free_bytes", "Free space of the store's file system.", "bytes")
    places = partitions(store)
    waiting = 0
    for dataset, partition in places:
        place = {"dataset": dataset, "partition": partition}
        versions.add(len(store.versions(dataset, partition)), **place)
        with contextlib.suppress(StoreError, ValueError):
            publication = store.published(dataset, partition)
            if publication is not None:
                at = datetime.fromisoformat(publication.published_at).timestamp()
                age.add(now - at, **place)
        problem = standing(store, dataset, partition)
        if problem is not None:
            waiting += 1
            held.add(1, **place, state=problem.state)
        with contextlib.suppress(StoreError, OSError):
            version = store.staged_version(dataset, partition)
            staged.add(now - store.staged_at(version), **place)
            _of_rules(store, version, violations, passed, duration)
    count.add(waiting)
    with contextlib.suppress(OSError):
        free.add(shutil.disk_usage(store.root).free)
    return [age, held, count, violations, passed, duration, staged, versions, free]


def _of_rules(
    store: Store, version: Version, violations: Gauge, passed: Gauge, duration: Gauge
) -> None:
    verdict = store.verdict(version)
    for result in () if verdict is None else verdict.results:
        labels = {
            "dataset": version.dataset,
            "partition": version.partition,
            "rule": result.name,
            "severity": result.severity.value,
        }
        violations.add(result.violations, **labels)
        passed.add(result.passed, **labels)
        duration.add(result.elapsed_s, **labels)
