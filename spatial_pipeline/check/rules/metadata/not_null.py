"""not_null: no nulls in the columns."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence

import numpy as np

from spatial_pipeline.check.base import BatchCheck, evaluates
from spatial_pipeline.check.geometry.places import places
from spatial_pipeline.check.incremental.piece_cache import Repeating, Words
from spatial_pipeline.contract.rules.metadata import NotNull
from spatial_pipeline.model.features import FeatureBatch
from spatial_pipeline.model.violations import RuleOutcome, Violations

Partial = tuple[int, Violations, Counter[str]]


@evaluates(NotNull)
class NotNullCheck(BatchCheck[NotNull], Repeating):
    """Reports every value that is null; empty text, NaN and zero are values."""

    needs_geometry = False

    def map(self, batch: FeatureBatch) -> Partial:
        """Values checked, nulls found, and nulls per column."""
        parts = []
        found: Counter[str] = Counter()
        for name in self.rule.columns_:
            column = batch.table.column(name)
            if not column.null_count:
                continue
            nulls = np.flatnonzero(column.is_null().to_numpy())
            found[name] = len(nulls)
            features = batch.take(nulls)
            parts.append(
                Violations.build(features.rows, f"{name} is null", places(features.geometry))
            )
        return len(batch) * len(self.rule.columns_), Violations.concat(parts), found

    def packed(self, partial: Partial, count: int) -> Words | None:  # noqa: ARG002
        """Number of values checked."""
        return None if partial[2] else np.array([partial[0]], dtype=np.uint64)

    def unpacked(self, words: Words, places: slice) -> Partial:  # noqa: ARG002
        """No nulls."""
        return int(words[0]), Violations.none(), Counter()

    def violations_of(self, partial: Partial) -> Violations:
        """The nulls."""
        return partial[1]

    def without_violations(self, partial: Partial) -> Partial:
        """Values checked, and nulls per column."""
        return partial[0], Violations.none(), partial[2]

    def reduce(self, partials: Sequence[Partial]) -> RuleOutcome:
        """All nulls, with the number in each column."""
        found = sum((p[2] for p in partials), Counter())
        counts = [f"{found[name]} in {name}" for name in self.rule.columns_ if found[name]]
        return RuleOutcome(
            checked=sum(p[0] for p in partials),
            violations=Violations.concat(p[1] for p in partials),
            message=f"nulls: {', '.join(counts)}" if counts else "",
        )
