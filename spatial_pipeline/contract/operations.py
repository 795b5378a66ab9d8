"""Model of the operations file of a code location: alerts and the inventory of held data."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import timedelta
from typing import Any, ClassVar

from pydantic import Field, ValidationError

from spatial_pipeline.contract.errors import AttributePlace, Mistake
from spatial_pipeline.contract.repair import problems
from spatial_pipeline.contract.rules.base import ContractModel
from spatial_pipeline.contract.schedule import Cron, Duration, TimeZone
from spatial_pipeline.contract.spelling import shown
from spatial_pipeline.contract.vocabulary import Severity

_TIME = r"^([01]\d|2[0-3]):[0-5]\d$"


class QuietHours(ContractModel):
    """Hours of the day at which a route waits; what came meanwhile is told afterwards."""

    begin: str = Field(alias="from", pattern=_TIME, description="Beginning: 22:00.")
    end: str = Field(alias="to", pattern=_TIME, description="End: 06:00.")
    timezone: TimeZone = Field("UTC", description="Time zone: Europe/Berlin.")

    @property
    def minutes(self) -> tuple[int, int]:
        """Beginning and end in minutes after midnight."""
        first, last = (int(t[:2]) * 60 + int(t[3:]) for t in (self.begin, self.end))
        return first, last


class AlertRoute(ContractModel):
    """Channels, and conditions on the incidents that go to them; all conditions must be met."""

    channels: tuple[str, ...] = Field(
        min_length=1, description="Names of channels in SPATIAL_ALERT_URLS."
    )
    owners: tuple[str, ...] = Field((), description="Only datasets with one of these owners.")
    datasets: tuple[str, ...] = Field(
        (), description="Only datasets with these names; * and ? are wildcards."
    )
    severity: Severity | None = Field(None, description="Only incidents of exactly this severity.")
    quiet: QuietHours | None = Field(
        None, description='{from: "22:00", to: "06:00", timezone: Europe/Berlin}: nothing then.'
    )


class Alerts(ContractModel):
    """Alerts: routes to channels, reminders and digests."""

    routes: tuple[AlertRoute, ...] = Field(
        (), description="Routes to channels. An incident that no route takes goes to every channel."
    )
    remind_after: Duration = Field(
        timedelta(days=1),
        description="Time after which an open incident is sent again: 30m, 12h, 1d.",
    )
    digest_above: int = Field(
        10, ge=1, description="Largest number of changes sent to a channel as separate messages."
    )
    retry_after_s: float = Field(
        30.0,
        ge=0,
        le=600,
        description="Seconds until a failed channel is retried; doubles with each failure.",
    )
    interval_s: int = Field(30, ge=1, description="Seconds between two ticks of the alert sensor.")

    @property
    def remind_after_s(self) -> float:
        """``remind_after`` in seconds."""
        return self.remind_after.total_seconds()


class Inventory(ContractModel):
    """Inventory: a list of all held data, at fixed times."""

    schedule: Cron = Field("0 6 * * *", description="Cron expression (UTC).")


class PruneTimes(ContractModel):
    """Deletion of versions that the contracts do not keep, at set times."""

    schedule: Cron = Field("30 4 * * *", description="Cron expression (UTC).")
    runs: Duration | None = Field(
        timedelta(days=30),
        description="Runs of Dagster that ended longer ago, and that a later one did again, are"
        " deleted with their events and logs: 30d; null for never.",
    )


class OperationsContract(ContractModel):
    """Alerts, inventory and retention of all datasets of a code location."""

    type_name: ClassVar[str] = "spatial_pipeline.Operations"

    alerts: Alerts | None = Field(default_factory=Alerts, description="Alerts; null: none.")
    inventory: Inventory | None = Field(
        default_factory=Inventory, description="Inventory of held data; null: none."
    )
    retention: PruneTimes | None = Field(
        default_factory=PruneTimes,
        description="When versions are deleted that contracts do not keep; null for never.",
    )


def judge_operations(
    attributes: Any, place: AttributePlace
) -> tuple[OperationsContract | None, list[Mistake]]:
    """The operations, or all mistakes in them.

    Args:
        attributes: plain values as written; None for none.
        place: where they stand.

    """
    attributes = {} if attributes is None else attributes
    if not isinstance(attributes, Mapping):
        text = f"attributes: expected a mapping (key: value), got {shown(attributes)}"
        return None, [place.mistake(("attributes",), text)]
    mistakes = [
        place.mistake(("attributes", *p.location), f"{p.subject}{p.text}", key=p.on_key)
        for p in problems(OperationsContract, attributes)
    ]
    mistakes = sorted(mistakes, key=lambda m: m.line or 0)
    if mistakes:
        return None, mistakes
    try:
        return OperationsContract.model_validate(dict(attributes)), []
    except ValidationError as exc:
        text = "; ".join(str(e["msg"]) for e in exc.errors())
        return None, [place.mistake(("attributes",), text)]
