"""The Python API: data frames and files against rules."""

from __future__ import annotations

import asyncio
import re
import subprocess
import sys
from pathlib import Path
from typing import Any

import geopandas
import numpy as np
import pandas as pd
import pytest
import shapely

import spatial_pipeline
from spatial_pipeline.errors import ContractError
from spatial_pipeline.pipeline.data_check import CheckReport, check, check_async
from spatial_pipeline_tests.browser import Browser
from spatial_pipeline_tests.report.conftest import browser

__all__ = ["browser"]
UNIQUE = {"rule": "unique", "columns": ["id"]}
OVERLAP = {"rule": "must_not_overlap", "severity": "warn"}


def frame(*ids: int) -> geopandas.GeoDataFrame:
    x = np.arange(len(ids)) * 0.9 + 500_000
    shapes = shapely.box(x, 5_200_000, x + 1, 5_200_001)
    return geopandas.GeoDataFrame({"id": list(ids)}, geometry=shapes, crs="EPSG:32633")


def test_a_report_has_results_and_violations_with_their_places() -> None:
    report = spatial_pipeline.check(frame(1, 2, 2), ["valid_geometry", UNIQUE, OVERLAP], key="id")
    assert isinstance(report, CheckReport)
    assert not report.passed
    names = [r.name for r in report.results]
    assert names[-3:] == ["valid_geometry", "unique", "must_not_overlap"]
    found = report.violations
    assert isinstance(found, geopandas.GeoDataFrame)
    assert found.crs == "EPSG:32633"
    assert found["rule"].tolist() == ["unique", "unique", "must_not_overlap", "must_not_overlap"]
    assert found["keys"].tolist()[-2:] == ["[[1], [2]]", "[[2], [2]]"]
    assert found.area.iloc[-1] == pytest.approx(0.1)
    assert repr(report) == (
        f"<CheckReport: failed, {len(names)} rules, not passed: unique (2), must_not_overlap (2)>"
    )


def test_data_that_hold_pass_and_have_no_violations() -> None:
    report = check(frame(1), [UNIQUE])
    assert report.passed
    assert len(report.violations) == 0
    assert report.violations.crs == "EPSG:32633"
    assert "not passed" not in repr(report)


def test_a_file_a_table_and_a_file_of_rules(tmp_path: Path) -> None:
    frame(1, 2, 2).to_file(tmp_path / "data.gpkg", layer="a")
    (tmp_path / "rules.yaml").write_text("- {rule: unique, columns: [id]}\n")
    report = check(tmp_path / "data.gpkg", tmp_path / "rules.yaml", layer="a", key=["id"])
    assert [r.name for r in report.results if not r.passed] == ["unique"]
    assert report.violations["keys"].tolist() == ["[[2]]", "[[2]]"]
    assert not check(pd.DataFrame({"id": [1, 1]}), [UNIQUE]).passed


def test_the_page_and_the_view_in_a_notebook(browser: Browser, tmp_path: Path) -> None:
    report = check(frame(1, 2, 2), [UNIQUE, OVERLAP])
    file = tmp_path / "report.html"
    assert report.to_html(file) == file.read_text("utf-8")
    browser.messages()
    browser.open(file)
    assert browser.messages() == []
    assert browser.run("return document.querySelectorAll('.marks g').length") == 4
    view = report._repr_html_()
    assert "<script" not in view
    file.write_text(f"<!DOCTYPE html><meta charset=utf-8><title>notebook</title>{view}", "utf-8")
    browser.open(file)
    assert browser.messages() == []
    assert browser.run("return document.querySelectorAll('svg circle').length") == 4
    assert browser.run("return document.querySelector('svg').getBoundingClientRect().height") > 50
    text = browser.run("return document.body.innerText")
    assert "must_not_overlap (2)" in text
    assert re.search(r"0\.0999\d{9,} m²\s+500000\.95, 5200000\.5", text)


def test_names_in_a_view_stay_text() -> None:
    data = frame(1, 1).rename(columns={"id": "<img src=x>"}).assign(key="<script>")
    view = check(data, [{"rule": "unique", "columns": ["<img src=x>"]}], key="key")._repr_html_()
    assert not re.search("<img|<script", view)
    assert "&lt;script&gt;" in view


async def _under_a_loop() -> tuple[bool, bool]:
    blocking = spatial_pipeline.check(frame(1, 1), [UNIQUE])
    waiting = await check_async(frame(1), [UNIQUE])
    return blocking.passed, waiting.passed


def test_a_running_loop_is_no_obstacle() -> None:
    assert asyncio.run(_under_a_loop()) == (False, True)


def test_mistakes_are_told_as_the_command_line_tells_them() -> None:
    rules: Any = [
        "must_not_overlapp",
        {"rule": "unique", "colums": ["id"]},
        {"rule": "crs", "equals": 7},
    ]
    with pytest.raises(ContractError) as caught:
        check(frame(1), rules)
    lines = str(caught.value).splitlines()
    assert "did you mean 'must_not_overlap'?" in lines[0]
    assert "did you mean 'columns'?" in "".join(lines)
    assert len(lines) >= 3
    with pytest.raises(ContractError, match="did you mean 'id'"):
        check(frame(1), [{"rule": "unique", "columns": ["idd"]}])
    with pytest.raises(ContractError, match="rules: is empty"):
        check(frame(1), [])


def test_what_is_no_data_is_refused_in_words() -> None:
    for nothing, name in (([1], "list"), (None, "NoneType"), ({"a": 1}, "dict")):
        with pytest.raises(TypeError, match=f"{name} cannot be checked: expected a GeoDataFrame"):
            check(nothing, [UNIQUE])  # type: ignore[arg-type]
    with pytest.raises(TypeError, match="no active geometry column: call set_geometry"):
        check(geopandas.GeoDataFrame({"id": [1]}), [UNIQUE])
    double = pd.DataFrame([[1, 2]], columns=["id", "id"])
    with pytest.raises(TypeError, match=r"DataFrame cannot be checked: .*[Dd]uplicate"):
        check(double, [UNIQUE])


def test_nothing_is_left_behind(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("tempfile.tempdir", str(tmp_path))
    report = check(frame(1, 1), [UNIQUE])
    assert list(tmp_path.iterdir()) == []
    assert len(report.violations) == 2


def test_the_name_is_a_function_whatever_was_imported_before() -> None:
    code = """
import sys, spatial_pipeline
assert not {"numpy", "pyarrow", "dagster"} & set(sys.modules)
verb = spatial_pipeline.check
assert not {"numpy", "pyarrow", "dagster"} & set(sys.modules)
import spatial_pipeline.check.api as api
from spatial_pipeline import check
assert callable(verb) and verb is check is spatial_pipeline.check and api.__name__.endswith("api")
import pandas
print(check(pandas.DataFrame({"id": [1, 1]}), [{"rule": "unique", "columns": ["id"]}]).passed)
"""
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=False)
    assert (done.stdout, done.returncode) == ("False\n", 0), done.stderr
