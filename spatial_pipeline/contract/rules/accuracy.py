"""Rules about the accuracy of features against control points."""

from typing import ClassVar, Literal

from pydantic import Field

from spatial_pipeline.contract.rules.base import ColumnNames, NotNegative, Other
from spatial_pipeline.contract.rules.parity import ParityRule
from spatial_pipeline.contract.rules.usable import Needs


class PositionalAccuracy(ParityRule):
    """Points lie where control points with the same key lie: RMSE and CE95 of the distances.

    Distances are in units of the CRS, or in metres on the ellipsoid where these are degrees.
    """

    rule: Literal["positional_accuracy"] = "positional_accuracy"
    judges: ClassVar[tuple[str, ...]] = ("geometry",)
    needs: ClassVar[Needs] = Needs.some("rmse", "percentile95")
    other: Other = Field(description="The control points.")
    key: ColumnNames = Field(description="Columns by which points of both are the same.")
    rmse: NotNegative | None = Field(None, description="Largest root mean square error.")
    percentile95: NotNegative | None = Field(
        None, description="Largest 95th percentile of the distances (CE95, nearest rank)."
    )

    def columns(self) -> tuple[str, ...]:
        """The key."""
        return self.key

    def others(self) -> tuple[Other, ...]:
        """The control points."""
        return (self.other,)

    def needs_crs(self) -> bool:
        """Control points are brought into the CRS of the points."""
        return True
