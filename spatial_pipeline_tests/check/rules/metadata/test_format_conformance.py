from spatial_pipeline.contract.rules.formats import FormatConformance
from spatial_pipeline.contract.vocabulary import Status
from spatial_pipeline.model.conformance import FormatEvidence, FormatFinding
from spatial_pipeline_tests.check.rules.metadata.rasters import raster
from spatial_pipeline_tests.support import memory_vector, run_rule

CODES = {"OGC": ("Req 1", "Req 2", "Req 3"), "PDOK": ("RQ1", "RC1")}


def data(*findings, **profile):
    evidence = FormatEvidence("GeoPackage", CODES, findings)
    return memory_vector([], conformance=evidence, driver="GPKG", **profile)


WRONG = FormatFinding("Req 2", "the application id is 7", "OGC")
ADVISED = FormatFinding("Req 3", "the suffix is .db", "OGC", recommended=True)
NAMED = FormatFinding("RQ1", "the layer is called A", "PDOK")


def test_format_conformance_names_each_requirement_that_is_not_met():
    result, violations = run_rule(FormatConformance(), data(WRONG, ADVISED, NAMED))
    assert (result.status, result.violations, result.checked) == (Status.FAILED, 1, 3)
    assert violations.reasons.tolist() == ["Req 2: the application id is 7"]
    assert "GeoPackage: Req 2: the application id is 7" in result.message
    assert "recommended: Req 3: the suffix is .db" in result.message


def test_format_conformance_passes():
    result, _ = run_rule(FormatConformance(), data(NAMED))
    assert (result.passed, result.message) == (True, "3 requirements of OGC are met")


def test_format_conformance_judges_other_sets_where_asked():
    result, violations = run_rule(FormatConformance(also=("PDOK",)), data(WRONG, NAMED))
    assert violations.reasons.tolist() == [
        "RQ1: the layer is called A", "Req 2: the application id is 7",
    ]  # fmt: skip
    assert result.checked == 5
    result, _ = run_rule(FormatConformance(also=("COG",)), data())
    assert (result.status, "COG makes no requirements" in result.message) == (Status.ERROR, True)


def test_format_conformance_accepts_codes_and_counts_recommendations():
    rule = FormatConformance(accept=("Req 2",), recommendations=True)
    result, violations = run_rule(rule, data(WRONG, ADVISED))
    assert violations.reasons.tolist() == ["Req 3: the suffix is .db"]
    result, _ = run_rule(FormatConformance(accept=("Req 9",)), data())
    assert "no requirement Req 9 was judged" in result.message


def test_format_conformance_judges_a_source_that_cannot_be_read():
    result, _ = run_rule(FormatConformance(), data(WRONG, error="broken"))
    assert (result.status, result.violations) == (Status.FAILED, 1)
    result, _ = run_rule(FormatConformance(), memory_vector([], error="broken"))
    assert (result.status, result.message) == (Status.ERROR, "needs a readable source")
    result, _ = run_rule(FormatConformance(), raster())
    assert (result.status, "no requirements are known" in result.message) == (Status.ERROR, True)
