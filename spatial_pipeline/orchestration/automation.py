"""Declarative automation by name: the contract's ``automation`` → conditions and their sensor.

The named condition decides when the source is read, so it is set on ``staged``. ``published``
follows every staged version as soon as its blocking checks have passed. The checks carry no
condition of their own: Dagster runs a check with a condition only when that condition fires, so a
backfill would stage and publish without checking.
"""

from __future__ import annotations

from datetime import timedelta
from typing import Any

import dagster as dg
from dagster import AutomationCondition as When

from spatial_pipeline.contract.models import Contract
from spatial_pipeline.contract.partitions import DailyPartitions
from spatial_pipeline.contract.schedule import OnCron
from spatial_pipeline.orchestration.autostart import sensor_status
from spatial_pipeline.orchestration.keys import published_key, source_key, staged_key

Condition = dg.AutomationCondition[Any]


def staged_condition(contract: Contract) -> Condition | None:
    """Condition for reading the source; None without ``automation``."""
    if contract.automation is None:
        return None
    source = dg.AssetSelection.assets(source_key(contract.name))
    if isinstance(contract.automation, OnCron):
        cron = contract.automation.on_cron
        trigger: Condition = When.cron_tick_passed(cron, contract.timezone)
    else:
        trigger = _newly_missing()
        if contract.automation == "eager":
            trigger = trigger | When.any_deps_updated()
            for other in contract.others:
                # The comparison data are new, so the data are checked again.
                trigger = trigger | When.asset_matches(published_key(other), When.newly_updated())
    condition: Condition = _unhandled(trigger)
    if isinstance(contract.partitions, DailyPartitions) and (
        contract.watched is None or isinstance(contract.automation, OnCron)
    ):
        condition = _open_days(contract) & condition
    elif contract.watched is not None and not isinstance(contract.automation, OnCron):
        # A source that the watch has not seen cannot be read.
        condition = condition & ~When.any_deps_missing().allow(source)
    for other in contract.others:
        # Without comparison data the rules could only fail.
        condition = condition & When.asset_matches(published_key(other), ~When.missing())
    condition = condition & ~When.in_progress() & When.all_deps_blocking_checks_passed()
    return _labelled(condition, _label(contract))


def published_condition(contract: Contract) -> Condition | None:
    """Condition for publishing a staged version; None without ``automation``.

    The gate inside publishing is authoritative; the condition only avoids runs that it would
    refuse.
    """
    if contract.automation is None:
        return None
    # The data that rules compare with are a dependency, too, and decide when data are staged.
    staged = dg.AssetSelection.assets(staged_key(contract.name))
    condition: Condition = (
        _unhandled(_newly_missing() | When.any_deps_updated().allow(staged))
        & ~When.any_deps_missing().allow(staged)
        & ~When.any_deps_in_progress().allow(staged)
        & ~When.in_progress()
        & When.all_deps_blocking_checks_passed().allow(staged)
    )
    return _labelled(condition, "follow_staged")


def automation_sensor(contract: Contract) -> dg.AutomationConditionSensorDefinition | None:
    """The sensor that evaluates the conditions of a dataset; None without ``automation``.

    Dagster's own default sensor is initially switched off; a contract that names a condition wants
    it switched on.
    """
    if contract.automation is None:
        return None
    return dg.AutomationConditionSensorDefinition(
        f"{contract.name}_automation",
        target=dg.AssetSelection.assets(staged_key(contract.name), published_key(contract.name)),
        default_status=sensor_status(),
        description=f"Automation of {contract.name}: {_label(contract)}.",
    )


def _open_days(contract: Contract) -> Condition:
    """True for the last complete day, and for missed days of the last ``catch_up`` ones."""
    last: Condition = When.in_latest_time_window()
    if not contract.catch_up:
        return last
    recent = When.in_latest_time_window(timedelta(days=contract.catch_up + 1))
    return last | (recent & When.missing())


def _newly_missing() -> Condition:
    """True for partitions that became missing, or were when automation began."""
    return When.newly_missing() | (When.missing() & When.initial_evaluation())


def _unhandled(trigger: Condition) -> Condition:
    """Keeps a trigger active until a request has answered it.

    Dagster's ``since_last_handled`` forgets it on a materialization too: also on one that was
    under way, from the former source, when the source changed.
    """
    return trigger.since(When.newly_requested())


def _labelled(condition: Condition, label: str) -> Condition:
    """The condition under the name that the UI shows; all Dagster conditions accept one."""
    return condition.with_label(label)  # type: ignore[attr-defined,no-any-return]


def _label(contract: Contract) -> str:
    if isinstance(contract.automation, OnCron):
        return f"on_cron({contract.automation.on_cron}, {contract.timezone})"
    return str(contract.automation)
