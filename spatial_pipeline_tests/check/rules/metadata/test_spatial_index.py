from spatial_pipeline.contract.rules.formats import SpatialIndex
from spatial_pipeline.contract.vocabulary import Status
from spatial_pipeline.model.conformance import FormatEvidence, FormatFinding
from spatial_pipeline_tests.support import memory_vector, run_rule

CODES = {"spatial index": ("present", "whole", "true")}


def judged(*reasons):
    findings = tuple(FormatFinding("true", reason, "spatial index") for reason in reasons)
    evidence = FormatEvidence("GeoPackage", CODES, findings)
    return run_rule(SpatialIndex(), memory_vector([], spatial_index=evidence, driver="GPKG"))


def test_a_sound_index_passes():
    result, _ = judged()
    assert (result.status, result.checked) == (Status.PASSED, 3)
    assert result.message == "the index of the GeoPackage file is sound"


def test_each_defect_of_the_index_is_a_violation():
    result, violations = judged("3 features are not in the R-tree", "a is damaged")
    assert (result.status, result.violations) == (Status.FAILED, 2)
    assert violations.reasons.tolist() == ["3 features are not in the R-tree", "a is damaged"]


def test_formats_without_an_index_are_an_error():
    result, _ = run_rule(SpatialIndex(), memory_vector([], driver="CSV"))
    assert (result.status, "CSV files" in result.message) == (Status.ERROR, True)
