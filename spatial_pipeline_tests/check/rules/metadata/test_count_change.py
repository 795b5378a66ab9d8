import asyncio
from pathlib import Path

import pyarrow as pa
from hypothesis import given, settings
from hypothesis import strategies as st

from spatial_pipeline.contract.rules.statistics import CountChange
from spatial_pipeline.contract.vocabulary import Status
from spatial_pipeline_tests.check.joins import joined, table
from spatial_pipeline_tests.orchestration.projects import Project
from spatial_pipeline_tests.support import run_rule


def test_a_change_is_a_share_of_what_is_published():
    rule = CountChange(max_fraction=0.25)
    result, violations = joined(rule, {"a": [1] * 5}, {"a": [1] * 4})
    assert (result.status, result.value, result.threshold) == (Status.PASSED, 0.25, 0.25)
    assert result.message == "5 features, 4 published: 25.0% change"
    assert violations == []
    assert not joined(rule, {"a": [1] * 6}, {"a": [1] * 4})[0].passed
    assert not joined(rule, {"a": [1] * 2}, {"a": [1] * 4})[0].passed
    where = CountChange(max_fraction=0, where="a > 1")
    assert joined(where, {"a": [1, 2, 3]}, {"a": [4, 5]})[0].passed
    assert joined(where, {"a": [1, 2]}, {"a": [4, 5]})[0].value == 0.5


VALUES = st.lists(st.none() | st.integers(0, 3), max_size=9)


@given(VALUES, VALUES, st.integers(0, 3), st.sampled_from([0, 0.25, 0.5, 1]))
@settings(max_examples=40)
def test_a_condition_selects_on_both_sides(here, published, above, accepted):
    rule = CountChange(max_fraction=accepted, where=f"a > {above}")
    own, there = (table({"a": pa.array(s, pa.int64())}, batch_size=4) for s in (here, published))
    mine, theirs = (sum(v is not None and v > above for v in s) for s in (here, published))
    change = abs(mine - theirs) / theirs if theirs else float(mine > 0)
    result, _ = run_rule(rule, own, there)
    assert (result.value, result.passed) == (change, change <= accepted)


def test_before_the_first_publication():
    result, _ = run_rule(CountChange(max_fraction=0), table({"a": [1]}))
    assert result.passed
    assert "nothing is published yet to compare with" in result.message


def test_a_delivery_that_lost_most_of_its_features_is_held(tmp_path: Path):
    project = Project(tmp_path, rules=[{"rule": "count_change", "max_fraction": 0.4}])

    def delivered(points):

        project.supply(points)
        version = project.pipeline.stage(project.contract)
        asyncio.run(project.pipeline.audit(project.contract, version))
        return project.pipeline.decide(project.contract, version), version

    decision, version = delivered([[0, 0], [1, 1], [2, 2]])
    assert decision.open
    project.pipeline.publish(project.contract, version)
    decision, _ = delivered([[0, 0]])
    assert decision.reasons == ("count_change: failed: 1 feature, 3 published: 66.7% change",)
    assert delivered([[0, 0], [1, 1]])[0].open
