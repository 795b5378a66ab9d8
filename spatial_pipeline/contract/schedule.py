"""Models of the time keys of a contract: schedule, watch, automation, freshness, durations."""

from __future__ import annotations

from datetime import timedelta
from typing import Annotated, Any, Literal
from zoneinfo import ZoneInfo, available_timezones

from pydantic import AfterValidator, BeforeValidator, Field, model_validator

from spatial_pipeline.contract.cron import cron_mistake, shortest_interval
from spatial_pipeline.contract.duration import Duration
from spatial_pipeline.contract.rules.base import ContractModel
from spatial_pipeline.contract.spelling import closest

LEAST_FRESH = timedelta(minutes=1)
"""Dagster judges freshness no finer than this."""


def _cron(value: str) -> str:
    if wrong := cron_mistake(value):
        raise ValueError(wrong)
    return value


def _zone(value: str) -> str:
    try:
        ZoneInfo(value)
    except (ValueError, OSError, KeyError) as exc:
        msg = f"{value!r} is not a time zone{closest(value, available_timezones()).hint}"
        raise ValueError(msg) from exc
    return value


Cron = Annotated[str, AfterValidator(_cron)]
"""A cron expression of five fields."""
TimeZone = Annotated[str, AfterValidator(_zone)]
"""A name of the IANA time zone database."""


class Watch(ContractModel):
    """Interval at which the source is watched."""

    every: Duration = Field(
        timedelta(minutes=1), description="Time between two looks at the source: 30s, 5m, 1h."
    )


class Scheduled(ContractModel):
    """A run at fixed times that waits for other datasets."""

    cron: Cron = Field(description="Cron expression, in the time zone of the contract.")
    after: tuple[str, ...] = Field(
        min_length=1,
        description="Datasets whose run of the same night must have ended before, well or not.",
    )


class OnCron(ContractModel):
    """The source is read at fixed times."""

    on_cron: Cron = Field(description="Cron expression, in the contract's time zone.")


def _automation(value: Any) -> Any:
    if isinstance(value, str) and value.startswith("on_cron"):
        cron = value.removeprefix("on_cron").strip(" :('\")") or "0 3 * * *"
        msg = f'write {{on_cron: "{cron}"}}'
        raise ValueError(msg)
    return value


Automation = Annotated[
    Literal["eager", "on_missing"] | OnCron,
    BeforeValidator(_automation),
]


class AtMost(ContractModel):
    """Maximum age of the published version."""

    at_most: Duration = Field(description="Maximum age of the last publication: 26h, 7d.")
    warn_after: Duration | None = Field(None, description="Age that causes a warning.")

    @model_validator(mode="after")
    def _ordered(self) -> AtMost:
        if self.at_most < LEAST_FRESH or (self.warn_after or LEAST_FRESH) < LEAST_FRESH:
            msg = "freshness is judged by the minute: give at least 60s"
            raise ValueError(msg)
        if self.warn_after is not None and self.warn_after >= self.at_most:
            msg = "warn_after must be less than at_most"
            raise ValueError(msg)
        return self


class Deadline(ContractModel):
    """Fixed times by which there must be a new publication."""

    deadline: Cron = Field(
        description="Cron expression of the deadlines, in the contract's time zone."
    )
    within: Duration = Field(
        description="Time before the deadline in which a publication counts as new."
    )

    @model_validator(mode="after")
    def _minutes(self) -> Deadline:
        if self.within < LEAST_FRESH:
            msg = "freshness is judged by the minute: give at least 60s"
            raise ValueError(msg)
        between = shortest_interval(self.deadline)
        if self.within > between:
            msg = f"within is longer than the time between two deadlines, {between}"
            raise ValueError(msg)
        return self


Freshness = AtMost | Deadline

__all__ = [
    "AtMost",
    "Automation",
    "Cron",
    "Deadline",
    "Duration",
    "Freshness",
    "OnCron",
    "Scheduled",
    "TimeZone",
    "Watch",
]
