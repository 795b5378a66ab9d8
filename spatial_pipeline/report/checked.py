"""Results of a check of one version, as all report formats take them, and as JSON."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from spatial_pipeline.model.profile import Profile, VectorProfile
from spatial_pipeline.model.readers import Reader
from spatial_pipeline.model.result import Result
from spatial_pipeline.model.violation_runs import AnyViolations
from spatial_pipeline.runtime.json_text import plain

if TYPE_CHECKING:
    from spatial_pipeline.report.scene import Scene
    from spatial_pipeline.report.trend import ChartedVersion

RESULT_KEYS = (
    "name", "rule", "family", "severity", "passed", "status", "checked", "violations", "value",
    "threshold", "message", "elapsed_s", "sample", "excepted",
)  # fmt: skip


@dataclass(frozen=True)
class Checked:
    """One dataset (or partition of one) after a check.

    Attributes:
        dataset: name of the dataset.
        partition: partition key or None.
        version: id of the version that was checked, None when nothing could be staged.
        evaluations: result and violations of each rule that was checked, keys filled in.
        profile: profile of the source, None when nothing could be staged.
        context: (n,) geometries to draw under the violations, in the CRS of the dataset.
        mistakes: mistakes of the contract that only the data reveal, one line each.
        scene: background of the map on a page.
        history: versions of the same partition, oldest first.
        readers_see: the published version and its age, as text; None when that is not known.
        layer: where all violations are, as text for people; empty when they are in no file.
        more: number of violations beyond those in ``evaluations``, by name of the check.

    """

    dataset: str
    partition: str | None
    version: str | None
    evaluations: tuple[tuple[Result, AnyViolations], ...]
    profile: Profile | None = None
    context: NDArray[Any] | None = None
    mistakes: tuple[str, ...] = ()
    scene: Scene | None = None
    history: tuple[ChartedVersion, ...] = ()
    readers_see: str | None = None
    layer: str = ""
    more: dict[str, int] = field(default_factory=dict)

    @property
    def results(self) -> tuple[Result, ...]:
        """The results, in the order of the contract."""
        return tuple(r for r, _ in self.evaluations)

    @property
    def passed(self) -> bool:
        """True when rules were checked and none of them blocks."""
        return bool(self.evaluations) and not any(r.blocks for r in self.results)

    @property
    def title(self) -> str:
        """Name with partition."""
        return self.dataset if self.partition is None else f"{self.dataset}[{self.partition}]"


def as_json(checked: Sequence[Checked]) -> dict[str, Any]:
    """The JSON object that ``--json`` prints."""
    mistakes = [mistake for c in checked for mistake in c.mistakes]
    return {
        **({"mistakes": mistakes} if mistakes else {}),
        "datasets": [
            {
                "dataset": c.dataset,
                "version": c.version,
                "partition": c.partition,
                "passed": c.passed,
                "results": [_result(r) for r in c.results],
            }
            for c in checked
        ],
    }


def _result(result: Result) -> dict[str, Any]:
    value = result.to_json()
    kept: dict[str, Any] = plain({key: value[key] for key in RESULT_KEYS}, "null")
    return kept


def context_of(data: Reader, most: int) -> NDArray[Any] | None:
    """Features spread evenly over a vector dataset, to draw under violations.

    Args:
        data: reader of the checked version.
        most: number of features.

    Returns:
        (n,) geometries in the CRS of the dataset; None for rasters and plain tables.

    """
    profile = data.profile
    if not isinstance(profile, VectorProfile) or profile.geometry_column is None:
        return None
    vector: Any = data
    positions = np.unique(np.linspace(0, profile.count - 1, most).astype(np.int64))
    shapes: NDArray[Any] = vector.take(positions[positions >= 0], ()).geometry
    return shapes
