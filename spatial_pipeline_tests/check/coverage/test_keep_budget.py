"""What rules keep for later is bounded, and what they find does not depend on it."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from spatial_pipeline.check.base import Context
from spatial_pipeline.check.coverage import keep_budget
from spatial_pipeline.check.coverage.feature_lookup import bare
from spatial_pipeline.check.coverage.keep_budget import KeepBudget
from spatial_pipeline.check.rules.topology.must_not_have_gaps import MustNotHaveGapsCheck
from spatial_pipeline.check.rules.topology.must_not_overlap import MustNotOverlapCheck
from spatial_pipeline.contract.rules.topology import MustNotHaveGaps, MustNotOverlap
from spatial_pipeline_tests.check.coverage.coverages import damaged_coverages, squares
from spatial_pipeline_tests.support import memory_vector


def size(batch):
    return sum(a.nbytes for a in (batch.rows, batch.positions, batch.table, batch.wkb))


def test_no_more_is_kept_than_fits():
    batch = bare(memory_vector(squares(10, 10)).everything, np.arange(100))
    whole = size(batch)
    keep = KeepBudget(whole + whole // 2)
    assert len(keep.admitted(batch)) == 100
    assert len(keep.admitted(batch)) == 0
    assert len(keep.admitted(bare(batch, np.arange(10)))) == 10


@pytest.mark.parametrize(
    ("check", "rule"),
    [(MustNotOverlapCheck, MustNotOverlap), (MustNotHaveGapsCheck, MustNotHaveGaps)],
)
@settings(max_examples=15, deadline=None)
@given(features=damaged_coverages(), size=st.integers(3, 20))
def test_what_is_found_does_not_depend_on_what_is_kept(check, rule, features, size):
    data = memory_vector(features, batch_size=size)

    def found(limit):
        with pytest.MonkeyPatch.context() as patch:
            patch.setattr(keep_budget, "KEPT_BYTES", limit)
            made = check(rule(rule=rule.model_fields["rule"].default), Context(data))
            partials = [made.map(data.batch(i, ())) for i in range(data.batch_count())]
        assert limit or not any(len(p.kept) for p in partials)
        outcome = made.reduce(partials)
        violations = outcome.violations.sorted()
        shapes = [g.wkb for g in violations.geometry]
        return outcome.message, violations.rows.tolist(), shapes, violations.measure.tolist()

    assert found(0) == found(1 << 30) == found(2000)
