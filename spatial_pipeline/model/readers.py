"""Protocols of the readers of staged versions. The implementations belong to ``store``."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Protocol

import numpy as np
from numpy.typing import NDArray

from spatial_pipeline.errors import RuleError
from spatial_pipeline.model.features import FeatureBatch
from spatial_pipeline.model.profile import RasterProfile, VectorProfile
from spatial_pipeline.model.raster_window import PixelWindow
from spatial_pipeline.runtime.hashing import fingerprint


class VectorReader(Protocol):
    """A staged vector version, read by pieces."""

    @property
    def profile(self) -> VectorProfile:
        """Metadata of the source."""

    @property
    def version_id(self) -> str:
        """Content name of the version."""

    def batch_count(self) -> int:
        """Number of batches (row groups)."""

    def batch_starts(self) -> NDArray[np.int64]:
        """(batches + 1,) staged positions at which batches begin, and the number of features."""

    def row_count(self) -> int:
        """Number of features that are present, whatever the profile says."""

    def row_bytes(self, columns: Sequence[str]) -> float:
        """Average staged bytes of a feature: its geometry and these columns."""

    def batch(self, index: int, columns: Sequence[str], *, geometry: bool = True) -> FeatureBatch:
        """Batch ``index`` with the named attribute columns, and optionally the geometry."""

    def feature_bounds(self) -> NDArray[np.float64]:
        """(count, 4) bounds of every feature in staged order; NaN rows for null and empty."""

    def batch_bounds(self, index: int) -> NDArray[np.float64]:
        """(n, 4) the same of batch ``index``."""

    def take(
        self, positions: NDArray[np.int64], columns: Sequence[str], *, geometry: bool = True
    ) -> FeatureBatch:
        """The features at these staged positions, in the order given, optionally with geometry."""

    def rows_to_positions(self, rows: NDArray[np.int64]) -> NDArray[np.int64]:
        """Staged positions of these source rows."""


@dataclass(frozen=True)
class CountedVector:
    """A vector dataset with a feature count and nothing else; see ``VectorReader``.

    Attributes:
        profile: gives its name and its feature count.

    """

    profile: VectorProfile

    @property
    def version_id(self) -> str:
        """Name that stands for the known content."""
        return fingerprint("count", self.profile.uri, self.profile.layer, self.profile.count)

    def batch_count(self) -> int:
        """Refuses, like every method that reads features."""
        raise self._uncounted()

    def batch_starts(self) -> NDArray[np.int64]:
        """Refuses."""
        raise self._uncounted()

    def batch_bounds(self, index: int) -> NDArray[np.float64]:  # noqa: ARG002 - the protocol's
        """Refuses."""
        raise self._uncounted()

    def row_count(self) -> int:
        """Refuses."""
        raise self._uncounted()

    def row_bytes(self, columns: Sequence[str]) -> float:  # noqa: ARG002 - the protocol's
        """Refuses."""
        raise self._uncounted()

    def batch(
        self, index: int, columns: Sequence[str], *, geometry: bool = True  # noqa: ARG002
    ) -> FeatureBatch:  # fmt: skip
        """Refuses."""
        raise self._uncounted()

    def feature_bounds(self) -> NDArray[np.float64]:
        """Refuses."""
        raise self._uncounted()

    def take(
        self, positions: NDArray[np.int64], columns: Sequence[str], *, geometry: bool = True  # noqa: ARG002
    ) -> FeatureBatch:  # fmt: skip
        """Refuses."""
        raise self._uncounted()

    def rows_to_positions(self, rows: NDArray[np.int64]) -> NDArray[np.int64]:  # noqa: ARG002
        """Refuses."""
        raise self._uncounted()

    def _uncounted(self) -> RuleError:
        return RuleError(f"{self.profile.uri}: its features were counted, not read")


class RasterReader(Protocol):
    """A staged raster version, read by windows."""

    @property
    def profile(self) -> RasterProfile:
        """Metadata of the source."""

    @property
    def version_id(self) -> str:
        """Content name of the version."""

    def windows(self) -> Sequence[tuple[int, int, int, int]]:
        """Block-aligned (row_off, col_off, height, width), disjoint and covering the raster."""

    def read(self, row_off: int, col_off: int, height: int, width: int) -> PixelWindow:
        """Any window inside the raster, all bands."""

    def tags(self) -> dict[str, str]:
        """Tags of the staged file (default domain)."""


Reader = VectorReader | RasterReader
