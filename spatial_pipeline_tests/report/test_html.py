from __future__ import annotations

import re
from html.parser import HTMLParser

from spatial_pipeline.contract.vocabulary import Severity
from spatial_pipeline.model.profile import BandProfile, RasterProfile
from spatial_pipeline.model.violations import Violation, Violations
from spatial_pipeline.report.html import number, page
from spatial_pipeline_tests.report.cases import PASSED, checked, result

VOID = {"meta", "path", "circle", "rect", "link", "img", "br", "hr", "input"}


class Balance(HTMLParser):
    """Every tag that is opened is closed, in order; addresses are collected."""

    def __init__(self) -> None:
        super().__init__()
        self.open: list[str] = []
        self.addresses: list[str] = []

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.addresses += [v or "" for k, v in attrs if k in {"src", "href", "srcset", "data"}]
        if tag not in VOID:
            self.open.append(tag)

    def handle_endtag(self, tag: str) -> None:
        if tag not in VOID:
            assert self.open.pop() == tag


def parsed(text: str) -> Balance:
    parser = Balance()
    parser.feed(text)
    parser.close()
    assert parser.open == []
    return parser


def test_the_page_holds_verdicts_results_violations_and_a_map() -> None:
    text = page([checked(), checked("states", evaluations=((PASSED, Violations.none()),))], "now")
    parser = parsed(text)
    assert text.count("<section") == 2
    assert "6 overlaps" in text
    assert "08001, 08005" in text
    assert "0.0031 m²" in text
    assert "<svg viewBox" in text
    assert 'class="status failed">held' in text
    assert 'class="status passed">passed' in text
    assert "WGS 84" in text
    assert all(a.startswith("#") for a in parser.addresses)
    assert not re.search(r"https?://|url\(|@import|<script", text)


def test_names_and_messages_cannot_break_out() -> None:
    hostile = "<script>alert(1)</script>\"'&"
    evil = result(
        hostile,
        message=hostile,
        sample=(Violation(((hostile,),), hostile, (0.0, 0.0), 1.0, hostile),),
    )
    text = page([checked(hostile, evaluations=((evil, Violations.none()),))], hostile)
    parsed(text)
    assert "<script" not in text
    assert "&lt;script&gt;" in text


def test_a_warning_is_no_failure() -> None:
    warned = result(severity=Severity.WARN)
    text = page([checked(evaluations=((warned, Violations.none()),))], "now")
    assert "failed (warning)" in text
    assert 'class="status passed">passed' in text


def test_what_could_not_be_staged_and_rasters_have_a_section_too() -> None:
    lost = checked("lost", version=None, profile=None, evaluations=((result(), Violations.none()),))
    raster = RasterProfile("dem.tif", "GTiff", width=10, height=5, bands=(BandProfile("uint8"),))
    text = page([lost, checked("dem", profile=raster, evaluations=())], "now")
    parsed(text)
    assert "nothing could be staged" in text
    assert "10 × 5 pixels, 1 bands" in text


def test_nothing_checked_is_still_a_page() -> None:
    parsed(page([], "now"))


def test_numbers_are_for_people() -> None:
    assert [number(v) for v in (None, 3.0, 1234567, 0.00312345678, 1e300, -2.5)] == [
        "", "3", "1\N{THIN SPACE}234\N{THIN SPACE}567", "0.00312346", "1e+300", "-2.5",
    ]  # fmt: skip
