"""Pages in a browser: the map, the table, and what a hostile text cannot do."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import shapely
from shapely import LineString, Point, Polygon, box

from spatial_pipeline.contract.vocabulary import Severity
from spatial_pipeline.model.profile import BandProfile, RasterProfile, VectorProfile
from spatial_pipeline.model.violations import Violations
from spatial_pipeline.report.html import page
from spatial_pipeline.report.scene import EMPTY, RasterPicture, Scene, picture_of
from spatial_pipeline_tests.browser import Browser
from spatial_pipeline_tests.report.cases import PASSED, WGS84, checked, result

UTM = VectorProfile(
    "roads.gpkg", "GPKG", crs="EPSG:32633", geometry_type="Polygon", count=3,
    bounds=(499000.0, 5199000.0, 501000.0, 5201000.0),
)  # fmt: skip
OVERLAP = box(500000.25, 5200000.125, 500000.75, 5200000.625)
DANGLE = Point(499123.456789012, 5200987.654321)
HOSTILE = '</script><script>document.title="owned"</script><img src=x onerror="document.title=1">'
SIZES = [(1280, False), (1280, True), (390, False), (390, True)]
PROBES = (Path(__file__).parent / "probes.js").read_text("utf-8")


def ask(browser: Browser, question: str, *arguments: Any) -> Any:
    """The answer of a function of probes.js."""
    return browser.run(f"{PROBES}\nreturn {question}(...arguments)", *arguments)


def some(
    name: str, shapes: list[Any], keys: list[str], measure: Any = np.nan, **changes: Any
) -> Any:
    found = Violations.build(
        np.arange(len(shapes)), name, shapes, measure, "m²", keys=[((k,),) for k in keys]
    )
    return result(name, violations=len(shapes), sample=(), **changes), found


def example(**changes: Any) -> Any:
    overlaps = some(
        "overlaps", [OVERLAP, box(500100, 5200100, 500101, 5200101)], ["a", "b"], [0.25, 1.0]
    )
    dangles = some("dangles", [DANGLE, None, LineString([(499500, 5199500), (499500, 5199600)])],
                   ["c 9", "c 10", "<b>&amp;"], severity=Severity.WARN)  # fmt: skip
    around = np.array([box(499990, 5199990, 500001, 5200001), Polygon()], dtype=object)
    scene = Scene(around[:1], around, np.array([0, 7]))
    values: dict[str, Any] = {
        "profile": UTM,
        "scene": scene,
        "evaluations": (overlaps, dangles, (PASSED, Violations.none())),
    }
    return checked("roads", **{**values, **changes})


@pytest.fixture
def opened(browser: Browser, tmp_path: Path) -> Any:
    def open_(*datasets: Any, fragment: str = "", **how: Any) -> Browser:
        file = tmp_path / "report.html"
        file.write_text(page(list(datasets) or [example()], "2026-11-30T06:00:00+00:00"), "utf-8")
        browser.messages()
        browser.open(file.as_uri() + fragment, **how)
        assert browser.messages() == []
        return browser

    return open_


@pytest.mark.parametrize(("width", "dark"), SIZES)
def test_the_page_fits_its_window_and_can_be_read(opened: Any, width: int, dark: bool) -> None:
    browser: Browser = opened(width=width, dark=dark)
    assert ask(browser, "fits")
    assert ask(browser, "contrasts") == []
    assert ask(browser, "broken") == []


def test_coordinates_and_measures_have_all_their_digits_and_a_crs(opened: Any) -> None:
    browser = opened()
    text = browser.run("return document.body.innerText")
    assert "499123.456789012, 5200987.654321" in text
    assert "0.25 m²" in text
    assert "EPSG:32633" in text


def test_the_filters_choose_rows_and_marks_alike(opened: Any) -> None:
    browser = opened()
    assert (ask(browser, "visible"), sorted(ask(browser, "marks"))) == (
        [0, 1, 2, 3, 4],
        [0, 1, 2, 4],
    )
    browser.click(".legend label:nth-of-type(1)")
    assert (ask(browser, "visible"), sorted(ask(browser, "marks"))) == ([2, 3, 4], [2, 4])
    assert browser.run("return document.querySelector('.count').textContent") == "3 of 5 violations"
    browser.click(".legend label:nth-of-type(1)")
    browser.type(".search", "10 dang")
    assert ask(browser, "visible") == [3]


def test_columns_are_sorted_as_numbers_or_as_people_count(opened: Any) -> None:
    browser = opened()
    browser.click("[data-sort=features]")
    assert ask(browser, "visible") == [4, 0, 1, 2, 3]
    browser.click("[data-sort=measure]")
    assert ask(browser, "visible") == [0, 1, 2, 3, 4]
    browser.click("[data-sort=measure]")
    assert ask(browser, "visible") == [1, 0, 2, 3, 4]
    assert (
        browser.run("return document.querySelector('[data-sort=measure]').closest('th').ariaSort")
        == "descending"
    )


def test_a_row_leads_to_its_place_and_a_place_to_its_row(opened: Any) -> None:
    browser = opened()
    whole = ask(browser, "scale")
    browser.click("tr[data-i='0'] .go")
    assert ask(browser, "scale") > 100 * whole
    assert ask(browser, "seen", ".map")
    assert ask(browser, "centre") == pytest.approx([500000.5, 5200000.375], abs=1e-9)
    assert ask(browser, "picked") == "0"
    assert browser.run("return document.querySelector('.chosen').textContent") == (
        "overlaps: a, overlaps, 0.25 m² at 500000.5, 5200000.375,"
        " WGS 84 / UTM zone 33N (EPSG:32633)"
    )
    browser.click("[data-do=all]")
    assert ask(browser, "scale") == whole
    browser.click(".marks g[data-i='2']")
    assert ask(browser, "picked") == "2"
    assert ask(browser, "scale") == whole


def test_the_map_is_moved_by_keys_wheel_buttons_and_pointer(opened: Any) -> None:
    browser = opened()
    scale, (x, y) = ask(browser, "scale"), ask(browser, "centre")
    for key in ("ArrowRight", "ArrowUp", "+"):
        browser.type(".stage", key)
    assert ask(browser, "scale") == pytest.approx(1.6 * scale)
    moved = ask(browser, "centre")
    assert moved[0] > x
    assert moved[1] > y
    browser.type(".stage", "0")
    assert (ask(browser, "scale"), ask(browser, "centre")) == (scale, [x, y])
    browser.wheel(".stage", -200, (100, 0))
    assert ask(browser, "scale") > scale
    assert ask(browser, "centre")[0] > x
    browser.type(".stage", "0")
    browser.drag(".stage", (80, 40))
    assert ask(browser, "centre") == pytest.approx([x - 80 / scale, y + 40 / scale])
    browser.type(".stage", "n")
    browser.type(".stage", "n")
    assert ask(browser, "picked") == "1"
    browser.type(".stage", "p")
    assert ask(browser, "picked") == "0"
    browser.type(".stage", "Escape")
    assert ask(browser, "picked") is None


def test_what_is_drawn_is_where_it_belongs_however_close_the_view_is(opened: Any) -> None:
    """A defect of a nanometre on the slanted edge of a feature of 20 km."""
    tiny = box(-5e-10, -5e-10, 5e-10, 5e-10)
    edge = [(-3333.1, -9999.7), (3333.1, 9999.7)]
    broad = np.array([Polygon([*edge, (-9000, 9999.7), (-9000, -9999.7)])], dtype=object)
    one = example(
        evaluations=(some("overlaps", [tiny], ["a"]),),
        profile=replace(UTM, bounds=(-9000.0, -9999.7, 3333.1, 9999.7)),
        scene=Scene(broad, broad, np.array([0])),
    )
    browser = opened(one)
    browser.click(".go")
    for _ in range(6):
        browser.click("[data-do=in]")
    alpha = ask(browser, "opacities", 0.93)
    height = browser.run("return document.querySelector('canvas').height")
    inside = [i for i, a in enumerate(alpha) if a]
    assert inside[0] == 0
    assert inside[-1] == pytest.approx(len(alpha) / 2 - 0.43 * height / 3, abs=4)


@pytest.mark.parametrize("fragment", ["", "#d1"])
def test_several_datasets_have_an_index_and_one_is_shown_at_a_time(
    opened: Any, fragment: str
) -> None:
    other = checked("states <b>", evaluations=((PASSED, Violations.none()),))
    browser = opened(example(), other, fragment=fragment)
    assert ask(browser, "shown") == [fragment[1:] or "index"]
    browser.run("location.hash = '#index'")
    browser.settle()
    browser.click("#index tbody tr:nth-child(2) a")
    assert ask(browser, "shown") == ["d2"]
    browser.click("#d2 .back a")
    assert ask(browser, "shown") == ["index"]


def test_text_of_a_supplier_stays_text(opened: Any) -> None:
    evil = some(HOSTILE, [OVERLAP], [HOSTILE], message=HOSTILE)
    profile = VectorProfile(HOSTILE, HOSTILE, crs=WGS84, geometry_type=HOSTILE, bounds=(0, 0, 1, 1))
    browser = opened(
        checked(HOSTILE, evaluations=(evil,), profile=profile, scene=EMPTY, layer=HOSTILE)
    )
    assert browser.run("return document.title").startswith(HOSTILE[:20])
    assert browser.run("return document.querySelectorAll('img').length") == 0
    assert HOSTILE in browser.run(
        "return document.querySelector('.rows tbody td:nth-child(2)').textContent"
    )
    ask(browser, "inject")
    assert browser.run("return document.title") != "1"
    (refused,) = browser.messages()
    assert "Content Security Policy" in refused


def test_a_raster_lies_beneath_its_violations(opened: Any) -> None:
    profile = RasterProfile(
        "dem.tif", "GTiff", crs="EPSG:32633", width=4, height=2,
        transform=(10, 0, 500000, 0, -10, 5200020), bands=(BandProfile("uint8"),),
    )  # fmt: skip

    class Raster:
        def __init__(self) -> None:
            self.profile = profile

        def preview(self, most: int) -> Any:
            pixels = np.array([[[0, 0, 255, 255], [0, 0, 255, 255]]], np.uint8)
            return pixels, np.array([[True] * 4, [False] * 4])

    picture = picture_of(Raster())
    assert isinstance(picture, RasterPicture)
    scene = Scene(EMPTY.overview, EMPTY.around, EMPTY.rows, picture=picture)
    found = some("no_voids", [box(500000, 5200000, 500010, 5200010)], ["0"])
    browser = opened(checked("dem", profile=profile, evaluations=(found,), scene=scene))
    black, white, hole = ask(
        browser, "colours", [[500015, 5200015], [500035, 5200015], [500035, 5200005]]
    )
    assert (black, white, hole[3]) == ([0, 0, 0, 255], [255, 255, 255, 255], 0)


def test_the_rarer_kind_is_drawn_above_the_others(opened: Any) -> None:
    """A hundred gaps would hide the few overlaps at the same places."""
    many = some("gaps", [OVERLAP] * 5, list("abcde"))
    few = some("overlaps", [OVERLAP], ["f"])
    assert ask(opened(checked("a", evaluations=(few, many))), "marks")[-1] == 0
    assert ask(opened(checked("a", evaluations=(many, few))), "marks")[-1] == 5


def test_empty_columns_are_left_out(opened: Any) -> None:
    shown = """return [...document.querySelectorAll('.rows thead th')]
      .filter(e => e.checkVisibility()).map(e => e.textContent)"""
    assert len(opened().run(shown)) == 5
    region = Violations.build(np.array([-1]), "pixels", [OVERLAP])
    found = (result("pixel_range", violations=1, sample=()), region)
    for width in (1280, 390):
        browser = opened(checked("dem", evaluations=(found,)), width=width)
        assert browser.run(shown) == ["Check", "Reason", "Place (x, y)"]


def test_on_a_phone_no_button_covers_the_map_and_the_index_is_short(opened: Any) -> None:
    overlap = """const box = (css) => document.querySelector(css).getBoundingClientRect();
      return Math.min(box('.controls').bottom, box('.stage').bottom)
        - Math.max(box('.controls').top, box('.stage').top)"""
    assert opened(width=390).run(overlap) <= 0
    other = checked("states", evaluations=((PASSED, Violations.none()),))
    browser = opened(example(), other, width=390)
    row = "return [...document.querySelectorAll('#index tbody tr:nth-child(2) [data-label]')]"
    listed = browser.run(f"{row}.filter(e => e.checkVisibility()).map(e => e.dataset.label)")
    assert listed == ["Dataset", "Verdict", "Rules", "Version"]


def test_degrees_keep_the_shape_of_the_land(opened: Any) -> None:
    profile = VectorProfile(
        "a", "GPKG", crs=WGS84, geometry_type="Point", count=1, bounds=(10, 59, 14, 61)
    )
    found = some("x", [Point(10, 60), Point(14, 60), Point(12, 59), Point(12, 61)], list("abcd"))
    browser = opened(checked(profile=profile, evaluations=(found,), scene=EMPTY))
    west, east, south, north = ask(browser, "places")
    assert (east[0] - west[0]) / (south[1] - north[1]) == pytest.approx(2 * 0.5, abs=0.01)


def test_every_control_has_a_name_and_can_be_reached(opened: Any) -> None:
    browser = opened()
    assert ask(browser, "nameless") == 0
    tree = browser.cdp("Accessibility.getFullAXTree")["nodes"]
    roles = {n["role"]["value"] for n in tree if not n.get("ignored")}
    assert {
        "main",
        "heading",
        "table",
        "columnheader",
        "rowheader",
        "checkbox",
        "searchbox",
    } <= roles
    browser.run("document.querySelector('tr[data-i=\"2\"] .go').focus()")
    browser.type("tr[data-i='2'] .go", "Enter")
    assert ask(browser, "picked") == "2"


def test_nothing_moves_by_itself(opened: Any) -> None:
    browser = opened()
    assert ask(browser, "moving") == 0


def test_thousands_of_violations_are_cut_and_said(opened: Any) -> None:
    shapes = shapely.points(np.linspace(499000, 501000, 3000), 5200000.0)
    many = some("dangles", list(shapes), [str(i) for i in range(3000)])
    few = some("overlaps", [OVERLAP], ["a"])
    browser = opened(example(evaluations=(many, few), layer="store/violations.parquet"))
    text = browser.run("return document.querySelector('.note').innerText")
    assert (
        text == "2\N{THIN SPACE}000 of 3\N{THIN SPACE}001 violations are on this page."
        " All of them are in store/violations.parquet."
    )
    assert len(ask(browser, "visible")) == 2000
    assert browser.run("return document.querySelectorAll('td[data-value=overlaps]').length") == 1
