"""Verdicts as ISO 19157 data quality: well-formed, and structured as ISO/TS 19157-2 demands.

No package ships the schemas of ISO, so the order and names of elements are asserted here.
"""

from __future__ import annotations

from xml.etree import ElementTree as ET

from spatial_pipeline.contract.rules import CATALOGUE
from spatial_pipeline.contract.vocabulary import Family, Severity, Status
from spatial_pipeline.report.iso19157 import ELEMENTS, NAMESPACES, data_quality_xml
from spatial_pipeline_tests.report.cases import PASSED, result

AT = "2026-11-30T12:00:00+00:00"


def outline(element: ET.Element) -> object:
    """Tags with prefixes, nested; the text of leaves."""
    prefixes = {uri: prefix for prefix, uri in NAMESPACES.items()}
    uri, _, name = element.tag[1:].partition("}")
    content = [outline(child) for child in element] or (element.text or "").strip()
    return (f"{prefixes[uri]}:{name}", content)


def read(*results: object) -> ET.Element:
    return ET.fromstring(data_quality_xml("counties[north]", "v1", results, AT))  # type: ignore[arg-type]


def text(name: str, value: str) -> tuple[str, object]:
    return (name, [("gco:CharacterString", value)])


def test_one_element_a_rule_with_measure_method_and_results() -> None:
    scope, report = read(result())
    assert outline(scope) == (
        "mdq:scope",
        [
            (
                "mcc:MD_Scope",
                [
                    ("mcc:level", [("mcc:MD_ScopeCode", "dataset")]),
                    (
                        "mcc:levelDescription",
                        [
                            (
                                "mcc:MD_ScopeDescription",
                                [text("mcc:dataset", "counties[north], version v1")],
                            )
                        ],
                    ),
                ],
            )
        ],
    )
    doc = " ".join((CATALOGUE["must_not_overlap"].__doc__ or "").split())
    measure = [
        (
            "mdq:measureIdentification",
            [
                (
                    "mcc:MD_Identifier",
                    [
                        text("mcc:code", "must_not_overlap"),
                        text("mcc:codeSpace", "spatial_pipeline"),
                    ],
                )
            ],
        ),
        text("mdq:nameOfMeasure", "overlaps"),
        text("mdq:measureDescription", doc),
    ]
    method = [
        ("mdq:dateTime", [("gco:DateTime", AT)]),
        ("mdq:evaluationMethodType", [("mdq:DQ_EvaluationMethodTypeCode", "directInternal")]),
    ]
    conformance = [
        (
            "mdq:specification",
            [
                (
                    "cit:CI_Citation",
                    [text("cit:title", "Contract of counties[north], rule overlaps")],
                )
            ],
        ),
        text("mdq:explanation", "6 overlaps"),
        ("mdq:pass", [("gco:Boolean", "false")]),
    ]
    assert outline(report) == (
        "mdq:report",
        [
            (
                "mdq:DQ_TopologicalConsistency",
                [
                    ("mdq:measure", [("mdq:DQ_MeasureReference", measure)]),
                    ("mdq:evaluationMethod", [("mdq:DQ_FullInspection", method)]),
                    (
                        "mdq:result",
                        [("mdq:DQ_QuantitativeResult", [("mdq:value", [("gco:Record", "6")])])],
                    ),
                    ("mdq:result", [("mdq:DQ_ConformanceResult", conformance)]),
                ],
            )
        ],
    )


def found(root: ET.Element, path: str) -> list[str | None]:
    return [e.text for e in root.iterfind(path, NAMESPACES)]


def test_what_was_not_evaluated_has_no_quantity_and_does_not_pass() -> None:
    root = read(
        PASSED,
        result("late", status=Status.TIMEOUT, message="bell \a"),
        result("warned", severity=Severity.WARN),
        result("parity", rule="same_count_as", family=Family.PARITY, against={"0:a": "v"}),
        result("foreign", rule="rule_of_a_plugin"),
    )
    assert found(root, ".//gco:Boolean") == ["true", "false", "false", "false", "false"]
    assert found(root, ".//gco:Record") == ["0", "6", "6", "6"]
    assert found(root, ".//mdq:explanation/gco:CharacterString")[:3] == [
        "as promised",
        "not evaluated (timeout): bell \N{REPLACEMENT CHARACTER}",
        "warning: 6 overlaps",
    ]
    methods = found(root, ".//mdq:DQ_EvaluationMethodTypeCode")
    assert methods == [*["directInternal"] * 3, "directExternal", "directInternal"]


def test_every_rule_has_an_element() -> None:
    assert {rule.iso_element for rule in CATALOGUE.values()} <= ELEMENTS.keys()
