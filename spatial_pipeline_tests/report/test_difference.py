"""The page of two versions in a browser."""

from __future__ import annotations

from pathlib import Path

import shapely

from spatial_pipeline.model.violations import Violations
from spatial_pipeline.report.difference import difference_page
from spatial_pipeline_tests.browser import Browser
from spatial_pipeline_tests.report.cases import PROFILE
from spatial_pipeline_tests.report.test_page import ask


def test_changes_are_told_by_kind_with_schema_and_rules(browser: Browser, tmp_path: Path) -> None:
    reasons = [
        "gone",
        "new",
        "moved",
        "edited: name ('<b>' → 'b')",
        "gone: row 3 of the other",
        "odd",
    ]
    changes = Violations.build(
        [[i] for i in range(6)],
        reasons,
        list(shapely.box([0, 1, 2, 3, 1, 2], 0, [1, 2, 3, 4, 2, 3], 2)),
        keys=[((f"key {i}",),) for i in range(6)],
    )
    text = difference_page(
        "a → b",
        "2026-11-30T06:00:00+00:00",
        facts=[("Before", "a")],
        lists=[("Schema", [("schema", "column x was added")]), ("Rules", [])],
        changes=changes,
        total=8,
        profile=PROFILE,
        scene=None,
    )
    file = tmp_path / "difference.html"
    file.write_text(text, "utf-8")
    browser.messages()
    browser.open(file)
    assert browser.messages() == []
    legend = browser.run(
        "return [...document.querySelectorAll('.legend span')].map(e => e.innerText)"
    )
    assert legend[::2] == ["new 1", "gone 2", "moved 1", "edited 1", "changed 3"]
    shown = browser.run("return document.body.innerText")
    assert "column x was added" in shown
    assert "6 of 8 changes are on this page" in shown
    assert "edited: name ('<b>' → 'b')" in shown
    assert len(ask(browser, "marks")) == 6
    browser.click("tr[data-i='2'] .go")
    assert ask(browser, "centre") == [1.5, 1]
