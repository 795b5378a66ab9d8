from __future__ import annotations

from xml.etree import ElementTree as ET

from spatial_pipeline.contract.vocabulary import Severity, Status
from spatial_pipeline.report.checked import Checked
from spatial_pipeline.report.junit import junit_xml
from spatial_pipeline_tests.report.cases import result


def test_one_suite_a_dataset_and_one_case_a_rule() -> None:
    results = [
        result("overlaps"),
        result("raised", status=Status.ERROR, message="bell \a, surrogate \udc80, <&>"),
        result("late", status=Status.TIMEOUT),
        result("warned", severity=Severity.WARN),
        result("fine", status=Status.PASSED),
    ]
    checked = Checked("a", "north", "v", tuple((r, None) for r in results))  # type: ignore[arg-type]
    root = ET.fromstring(junit_xml([checked, Checked("b", None, None, ())]))
    suite, empty = root
    counts = {"tests": "5", "failures": "1", "errors": "2", "skipped": "0"}
    assert {k: suite.attrib[k] for k in counts} == counts
    assert {k: root.attrib[k] for k in counts} == counts
    assert (suite.attrib["name"], empty.attrib["tests"]) == ("a[north]", "0")
    assert {c.attrib["name"]: [child.tag for child in c] for c in suite} == {
        "overlaps": ["failure"],
        "raised": ["error"],
        "late": ["error"],
        "warned": ["system-out"],
        "fine": [],
    }
    assert suite[0][0].text == "6 overlaps\n[08001, 08005] overlap 0.0031 m² at 1.0 2.0"
    assert suite[1][0].attrib["message"] == "bell �, surrogate �, <&>"
