"""Results as JUnit XML, which every CI system renders."""

from __future__ import annotations

import re
from collections.abc import Sequence
from xml.etree import ElementTree as ET

from spatial_pipeline.contract.vocabulary import Status
from spatial_pipeline.model.result import Result, keys_text
from spatial_pipeline.report.checked import Checked

FORBIDDEN = re.compile("[^\t\n\r\u0020-\ud7ff\ue000-\ufffd\U00010000-\U0010ffff]")
"""Characters that XML 1.0 cannot hold, not even escaped."""


def junit_xml(checked: Sequence[Checked]) -> bytes:
    """One suite per dataset (or partition of one), one case per rule, as UTF-8.

    A blocking rule that did not pass is a ``failure``, or an ``error`` where it could not be
    evaluated; a warning passes, with its text in ``system-out``.
    """
    suites = [_suite(c) for c in checked]
    root = ET.Element("testsuites", {"name": "spatial-pipeline", **_sums(suites)})
    root.extend(suites)
    ET.indent(root)
    written: bytes = ET.tostring(root, encoding="utf-8", xml_declaration=True)
    return written


def _suite(checked: Checked) -> ET.Element:
    cases = [_case(checked.title, r) for r in checked.results]
    suite = ET.Element(
        "testsuite",
        name=xml_text(checked.title),
        tests=str(len(cases)),
        failures=str(sum(c.find("failure") is not None for c in cases)),
        errors=str(sum(c.find("error") is not None for c in cases)),
        skipped="0",
        time=f"{sum(r.elapsed_s for r in checked.results):.6f}",
    )
    suite.extend(cases)
    return suite


def _sums(suites: Sequence[ET.Element]) -> dict[str, str]:
    counts = {
        key: str(sum(int(s.attrib[key]) for s in suites))
        for key in ("tests", "failures", "errors", "skipped")
    }
    return counts | {"time": f"{sum(float(s.attrib['time']) for s in suites):.6f}"}


def _case(suite: str, result: Result) -> ET.Element:
    case = ET.Element(
        "testcase",
        classname=xml_text(f"{suite}.{result.family}"),
        name=xml_text(result.name),
        time=f"{result.elapsed_s:.6f}",
    )
    if result.status is Status.PASSED:
        return case
    if result.blocks:
        tag = "failure" if result.status is Status.FAILED else "error"
        child = ET.SubElement(case, tag, type=str(result.status), message=xml_text(result.message))
    else:
        child = ET.SubElement(case, "system-out")
    child.text = xml_text("\n".join((result.message, *sample_lines(result))))
    return case


def sample_lines(result: Result) -> list[str]:
    """The sample of violations for people, one per line."""
    lines = []
    for found in result.sample:
        keys = keys_text(found.keys)
        size = "" if found.measure is None else f" {found.measure:g} {found.unit}".rstrip()
        place = "" if found.location is None else f" at {found.location[0]!r} {found.location[1]!r}"
        lines.append(f"[{keys}] {found.reason}{size}{place}")
    return lines


def xml_text(value: str) -> str:
    """Text without the characters that XML cannot hold."""
    return FORBIDDEN.sub("\N{REPLACEMENT CHARACTER}", value)
