"""Freshness of published data: the contract's ``freshness`` → a policy of Dagster."""

from __future__ import annotations

import dagster as dg

from spatial_pipeline.contract.models import Contract
from spatial_pipeline.contract.schedule import AtMost, Deadline


def freshness_of(contract: Contract) -> dg.FreshnessPolicy | None:
    """The policy of the published asset, None without ``freshness``.

    Dagster's daemon evaluates it when the instance has ``freshness: {enabled: true}``.
    """
    match contract.freshness:
        case AtMost(at_most=longest, warn_after=warned):
            return dg.FreshnessPolicy.time_window(fail_window=longest, warn_window=warned)
        case Deadline(deadline=cron, within=window):
            return dg.FreshnessPolicy.cron(
                deadline_cron=cron, lower_bound_delta=window, timezone=contract.timezone
            )
    return None
