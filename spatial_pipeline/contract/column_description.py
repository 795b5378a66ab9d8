"""What a column means, for people: its description and the unit of its values."""

from __future__ import annotations

from pydantic import Field

from spatial_pipeline.contract.rules.base import ContractModel


class ColumnDescription(ContractModel):
    """Description of a column, for the UI and for the published table. No rule checks it."""

    description: str = Field("", description="Meaning of the values, in one sentence.")
    unit: str | None = Field(
        None, min_length=1, description="Unit of the values, as m², persons/km² or EUR."
    )

    @property
    def text(self) -> str:
        """Description and unit in one line; empty without both."""
        unit = "" if self.unit is None else f"[{self.unit}]"
        return " ".join(filter(None, (self.description, unit)))
