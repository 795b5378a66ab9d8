import asyncio
from pathlib import Path

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
