from __future__ import annotations

import base64
import hashlib
import json
import re
from html import unescape
from html.parser import HTMLParser

from hypothesis import given, settings
from hypothesis import strategies as st

from spatial_pipeline.contract.vocabulary import Severity
from spatial_pipeline.model.profile import BandProfile, RasterProfile
from spatial_pipeline.model.violation import Violation
from spatial_pipeline.model.violations import Violations
from spatial_pipeline.report.html import page
from spatial_pipeline.report.map_section import safe_json
from spatial_pipeline.report.numbers import number
from spatial_pipeline.runtime.json_text import plain
from spatial_pipeline_tests.report.cases import PASSED, checked, result

VOID = {"meta", "path", "circle", "rect", "link", "img", "br", "hr", "input"}


class Balance(HTMLParser):
    """Every tag that is opened is closed, in order; addresses are collected."""

    def __init__(self) -> None:
        super().__init__()
        self.open: list[str] = []
        self.addresses: list[str] = []
        self.badges: list[str] = []
        self._badge = 0

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.addresses += [v or "" for k, v in attrs if k in {"src", "href", "srcset", "data"}]
        if "badge" in dict(attrs).get("class", "").split():  # type: ignore[union-attr]
            self.badges.append("")
            self._badge = len(self.open) + 1
        if tag not in VOID:
            self.open.append(tag)

    def handle_endtag(self, tag: str) -> None:
        if tag not in VOID:
            assert self.open.pop() == tag
        if len(self.open) < self._badge:
            self._badge = 0

    def handle_data(self, data: str) -> None:
        if self._badge:
            self.badges[-1] += data


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
    assert "key 0/0, None" in text
    assert "4 m²" in text
    assert text.count("<canvas>") == 1
    assert parser.badges == ["✕ held", "✓ passed"] * 2
    assert "WGS 84 (EPSG:4326)" in text
    assert all(a.startswith("#") for a in parser.addresses)
    assert not re.search(r"https?://(?!www\.w3\.org/2000/svg)|url\(|@import|fetch\(|XMLHttp", text)


def test_style_and_script_are_the_only_ones_that_the_policy_lets_in() -> None:
    text = page([checked()], "now")
    (policy,) = re.findall('Content-Security-Policy" content="([^"]+)"', text)
    rules = dict(rule.split(" ", 1) for rule in unescape(policy).split("; "))
    for tag, name in (("style", "style-src"), ("script", "script-src")):
        (inside,) = re.findall(f"<{tag}>(.*?)</{tag}>", text, re.DOTALL)
        digest = base64.b64encode(hashlib.sha256(inside.encode()).digest()).decode()
        assert rules.pop(name) == f"'sha256-{digest}'"
    assert rules == {
        "default-src": "'none'", "img-src": "data:", "base-uri": "'none'", "form-action": "'none'",
    }  # fmt: skip
    assert not re.search(r"<[^>]+ (style|on\w+)=", text)


def test_names_and_messages_cannot_break_out() -> None:
    hostile = "<script>alert(1)</script>\"'&"
    evil = result(
        hostile,
        message=hostile,
        sample=(Violation(((hostile,),), hostile, (0.0, 0.0), 1.0, hostile),),
    )
    text = page([checked(hostile, evaluations=((evil, Violations.none()),))], hostile)
    parsed(text)
    assert re.findall(r"<script[^>]*>", text) == [
        '<script type="application/json" class="data">', "<script>",
    ]  # fmt: skip
    assert "&lt;script&gt;" in text


@settings(deadline=None)
@given(st.text())
def test_json_in_a_page_is_the_value_and_cannot_end_its_element(text: str) -> None:
    written = safe_json({"a": [text]})
    assert not re.search("[<>&\u2028\u2029]", written)
    assert json.loads(written) == plain({"a": [text]})


def test_a_warning_is_no_failure() -> None:
    warned = result(severity=Severity.WARN)
    text = page([checked(evaluations=((warned, Violations.none()),))], "now")
    assert "failed (warning)" in text
    assert parsed(text).badges == ["✓ passed"]


def test_what_could_not_be_staged_and_rasters_have_a_section_too() -> None:
    lost = checked("lost", version=None, profile=None, evaluations=((result(), Violations.none()),))
    raster = RasterProfile("dem.tif", "GTiff", width=10, height=5, bands=(BandProfile("uint8"),))
    text = page([lost, checked("dem", profile=raster, evaluations=())], "now")
    parsed(text)
    assert "nothing could be staged" in text
    assert "10 × 5 pixels, 1 band<" in text


def test_nothing_checked_is_still_a_page() -> None:
    parsed(page([], "now"))


def test_numbers_are_for_people() -> None:
    assert [number(v) for v in (None, 3.0, 1234567, 0.00312345678, 1e300, -2.5)] == [
        "", "3", "1\N{THIN SPACE}234\N{THIN SPACE}567", "0.00312345678", "1e+300", "-2.5",
    ]  # fmt: skip
