"""Late data as problems: what Dagster's freshness policies say, and what was never published.

Dagster calls the state of an asset that was never materialized unknown, whatever its policy says.
Here such an asset is late as soon as it would be, had it been published when it was first seen.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta

import dagster as dg
from dagster._core.definitions.freshness import (
    CronFreshnessPolicy,
    FreshnessState,
    TimeWindowFreshnessPolicy,
)

from spatial_pipeline.alert.message import when
from spatial_pipeline.alert.problems import Key, Kind, Observation, Problem
from spatial_pipeline.contract.vocabulary import Severity
from spatial_pipeline.orchestration.alerts.run_reader import Location, subject_of
from spatial_pipeline.orchestration.cron_ticks import last_tick


@dataclass(frozen=True)
class Lateness:
    """Late assets of a code location.

    Attributes:
        observations: the problems, and the assets that are not late.
        met: asset that was never published → POSIX seconds when it was first seen.

    """

    observations: list[Observation]
    met: dict[str, float]


def lateness(
    instance: dg.DagsterInstance, location: Location, met: Mapping[str, float], now: float
) -> Lateness:
    """The state of every asset with a freshness policy.

    Args:
        instance: the instance.
        location: the code location.
        met: asset that was never published → POSIX seconds when it was first seen.
        now: POSIX seconds.

    """
    policies = _policies(location)
    facts: list[Problem] = []
    right: list[Key] = []
    waiting: dict[str, float] = {}
    records = instance.get_freshness_state_records(list(policies))
    for asset, policy in policies.items():
        key = Key(subject_of(asset), None, Kind.LATE, asset.path[-1])
        record = records.get(asset)
        state = FreshnessState.UNKNOWN if record is None else record.freshness_state
        since = "" if record is None else f"since {record.updated_at:%Y-%m-%d %H:%M} UTC"
        name = asset.to_user_string()
        if state is FreshnessState.UNKNOWN:
            if instance.get_latest_materialization_event(asset) is not None:
                continue
            first = waiting[name] = met.get(name, now)
            state = _never_published(policy, first, now)
            since = f"it was never published, and is watched since {when(first)} UTC"
        if state is FreshnessState.PASS:
            right.append(key)
        elif state in (FreshnessState.WARN, FreshnessState.FAIL):
            late = state is FreshnessState.FAIL
            joint = ": " if name in waiting else " "
            facts.append(
                Problem(
                    key,
                    Severity.ERROR if late else Severity.WARN,
                    f"{name} is {'late' if late else 'nearly late'}{joint}{since}",
                    status="late" if late else "nearly late",
                    asset=name,
                    owners=location.owners[asset],
                )
            )
    observations = [Observation.of(now, facts, right)] if facts or right else []
    return Lateness(observations, waiting)


def _policies(location: Location) -> dict[dg.AssetKey, dg.FreshnessPolicy]:
    found: dict[dg.AssetKey, dg.FreshnessPolicy] = {}
    for key, definition in location.repository.assets_defs_by_key.items():
        policy = definition.specs_by_key[key].freshness_policy
        if policy is not None:
            found[key] = policy
    return found


def _never_published(policy: dg.FreshnessPolicy, first: float, now: float) -> FreshnessState:
    """The state of an asset as if it had been published when it was first seen."""
    start, today = datetime.fromtimestamp(first, UTC), datetime.fromtimestamp(now, UTC)
    if isinstance(policy, TimeWindowFreshnessPolicy):
        age = today - start
        if age > policy.fail_window.to_timedelta():
            return FreshnessState.FAIL
        warned = policy.warn_window
        if warned is not None and age > warned.to_timedelta():
            return FreshnessState.WARN
    elif isinstance(policy, CronFreshnessPolicy):
        deadline = last_tick(policy.deadline_cron, today, policy.timezone)
        # A deadline that it was seen too late for is none of its own.
        if start <= deadline - policy.lower_bound_delta + timedelta(seconds=1):
            return FreshnessState.FAIL
    return FreshnessState.PASS
