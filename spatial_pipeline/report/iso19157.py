"""Results as ISO 19157-1 data quality in the XML of ISO/TS 19157-2 (``mdq``).

Every rule is a data quality element with its measure, evaluation method and results: a conformance
result, and the number of violations as a quantitative result where the rule could be evaluated.
"""

from __future__ import annotations

from collections.abc import Sequence
from xml.etree import ElementTree as ET

from spatial_pipeline.contract.rules import CATALOGUE
from spatial_pipeline.contract.vocabulary import Family, Status
from spatial_pipeline.model.result import Result
from spatial_pipeline.report.junit import xml_text

NAMESPACES = {
    "mdq": "http://standards.iso.org/iso/19157/-2/mdq/1.0",
    "mcc": "http://standards.iso.org/iso/19115/-3/mcc/1.0",
    "cit": "http://standards.iso.org/iso/19115/-3/cit/2.0",
    "gco": "http://standards.iso.org/iso/19115/-3/gco/1.0",
}
CODES = "http://standards.iso.org/iso/19115/resources/Codelists/cat/codelists.xml"
ELEMENTS = {
    "completeness": "DQ_CompletenessOmission",
    "logical consistency": "DQ_ConceptualConsistency",
    "conceptual consistency": "DQ_ConceptualConsistency",
    "domain consistency": "DQ_DomainConsistency",
    "format consistency": "DQ_FormatConsistency",
    "topological consistency": "DQ_TopologicalConsistency",
    "positional accuracy": "DQ_AbsoluteExternalPositionalAccuracy",
    "thematic accuracy": "DQ_NonQuantitativeAttributeCorrectness",
    "quantitative attribute accuracy": "DQ_QuantitativeAttributeAccuracy",
    "temporal quality": "DQ_TemporalValidity",
}
"""Element in XML of each ``iso_element`` of the catalogue; of a group, its most general member."""
EVALUATED = (Status.PASSED, Status.FAILED)


def data_quality_xml(
    title: str, version: str | None, results: Sequence[Result], checked_at: str
) -> bytes:
    """One ``mdq:DQ_DataQuality``, as UTF-8.

    Args:
        title: name of the dataset, with its partition.
        version: id of the version that was checked, None when nothing could be staged.
        results: its results.
        checked_at: ISO 8601 time of the check.

    """
    for prefix, uri in NAMESPACES.items():
        ET.register_namespace(prefix, uri)
    root = ET.Element(_name("mdq:DQ_DataQuality"))
    scope = _below(root, "mdq:scope", "mcc:MD_Scope")
    _code(_below(scope, "mcc:level"), "mcc:MD_ScopeCode", "dataset")
    subject = title if version is None else f"{title}, version {version}"
    described = _below(scope, "mcc:levelDescription", "mcc:MD_ScopeDescription")
    _text(described, "mcc:dataset", subject)
    for result in results:
        _element(_below(root, "mdq:report"), title, result, checked_at)
    ET.indent(root)
    written: bytes = ET.tostring(root, encoding="utf-8", xml_declaration=True)
    return written


def _element(report: ET.Element, title: str, result: Result, checked_at: str) -> None:
    rule = CATALOGUE.get(result.rule)
    # A rule of a plugin that is not installed here has no entry.
    iso = "logical consistency" if rule is None else rule.iso_element
    element = _below(report, f"mdq:{ELEMENTS[iso]}")
    measure = _below(element, "mdq:measure", "mdq:DQ_MeasureReference")
    identifier = _below(measure, "mdq:measureIdentification", "mcc:MD_Identifier")
    _text(identifier, "mcc:code", result.rule)
    _text(identifier, "mcc:codeSpace", "spatial_pipeline")
    _text(measure, "mdq:nameOfMeasure", result.name)
    described = "" if rule is None else " ".join((rule.__doc__ or "").split())
    if described:
        _text(measure, "mdq:measureDescription", described)
    method = _below(element, "mdq:evaluationMethod", "mdq:DQ_FullInspection")
    _below(method, "mdq:dateTime", "gco:DateTime").text = checked_at
    external = result.family is Family.PARITY or bool(result.against)
    _code(
        _below(method, "mdq:evaluationMethodType"),
        "mdq:DQ_EvaluationMethodTypeCode",
        "directExternal" if external else "directInternal",
    )
    if result.status in EVALUATED:
        quantity = _below(element, "mdq:result", "mdq:DQ_QuantitativeResult")
        _below(quantity, "mdq:value", "gco:Record").text = str(result.violations)
    conformance = _below(element, "mdq:result", "mdq:DQ_ConformanceResult")
    citation = _below(conformance, "mdq:specification", "cit:CI_Citation")
    _text(citation, "cit:title", f"Contract of {title}, rule {result.name}")
    _text(conformance, "mdq:explanation", _explanation(result))
    _below(conformance, "mdq:pass", "gco:Boolean").text = str(result.passed).lower()


def _explanation(result: Result) -> str:
    """Message of the result; what cannot be read from the count is named before it."""
    if result.status not in EVALUATED:
        return f"not evaluated ({result.status.value}): {result.message}"
    grade = "" if result.passed or result.blocks else "warning: "
    return f"{grade}{result.message}" or f"{result.checked} checked"


def _name(qualified: str) -> str:
    prefix, _, name = qualified.partition(":")
    return f"{{{NAMESPACES[prefix]}}}{name}"


def _below(parent: ET.Element, *names: str) -> ET.Element:
    """The innermost of elements that are nested in a parent."""
    for name in names:
        parent = ET.SubElement(parent, _name(name))
    return parent


def _text(parent: ET.Element, name: str, text: str) -> None:
    _below(parent, name, "gco:CharacterString").text = xml_text(text)


def _code(parent: ET.Element, name: str, value: str) -> None:
    code = _below(parent, name)
    code.set("codeList", f"{CODES}#{name.partition(':')[2]}")
    code.set("codeListValue", value)
    code.text = value
