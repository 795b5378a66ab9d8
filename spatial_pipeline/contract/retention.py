"""Retention of versions that readers no longer see."""

from __future__ import annotations

from pydantic import Field

from spatial_pipeline.contract.rules.base import ContractModel

FOREVER = 36_500
"""Most days that a contract may name."""


class Retention(ContractModel):
    """Versions that are kept; all others are deleted."""

    keep: int = Field(
        5,
        ge=1,
        description="Versions that were published before the current one and stay for a rollback.",
    )
    days: int = Field(
        90,
        ge=0,
        le=FOREVER,
        description="Days for which any version stays: since readers saw it last, or, when it was "
        "never published, since it was staged or checked last.",
    )
