import datetime as dt
import re
from decimal import Decimal
from fnmatch import fnmatchcase
from pathlib import PurePosixPath

import pydantic
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from spatial_pipeline.check.rules.metadata.delivery_contents import expression, says
from spatial_pipeline.contract.models import RasterContract
from spatial_pipeline.contract.rules.formats import DeliveryContents
from spatial_pipeline.contract.vocabulary import Status
from spatial_pipeline.model.delivery import Delivery
from spatial_pipeline_tests.support import memory_raster, memory_vector, run_rule

FILES = ("metadata.xml", "old/roads_2023.gpkg", "readme.txt", "roads_2024.gpkg")
PATTERN = r"(?:.*/)?roads_(?P<year>[0-9]{4})\.gpkg"


def judged(files=FILES, partition=None, years=(2024,), **parameters):
    data = memory_vector(
        [None] * len(years), {"year": list(years)}, delivery=Delivery(files, partition)
    )
    result, violations = run_rule(DeliveryContents(**parameters), data)
    return result, violations.reasons.tolist()


def test_a_promised_delivery_passes():
    result, reasons = judged(
        required=("*.gpkg", "metadata.xml"), optional=("*.xml", "*.txt", "old/**"),
        forbidden=("**/.DS_Store",), name_pattern=PATTERN, parts_match={"year": "year"},
    )  # fmt: skip
    assert (result.status, result.checked, reasons) == (Status.PASSED, 4, [])
    assert result.message == "4 files as promised"


@pytest.mark.parametrize(
    ("parameters", "reasons"),
    [
        ({"required": ("roads.shp", "*.dbf", "*.txt")},
         ["*.dbf is missing", "roads.shp is missing"]),
        ({"required": ("*.gpkg", "*.xml"), "optional": ("*.txt",)},
         ["old/roads_2023.gpkg is not expected"]),
        ({"forbidden": ("old/*", "**/*.gpkg")},
         ["old/roads_2023.gpkg is forbidden (old/*)", "roads_2024.gpkg is forbidden (**/*.gpkg)"]),
        ({"name_pattern": PATTERN, "optional": ("*.txt",)},
         ["the name metadata.xml does not match " + PATTERN]),
        ({"name_pattern": PATTERN, "optional": ("*.*",), "parts_match": {"year": "year"}},
         ["old/roads_2023.gpkg: year is 2023, but column year is 2024"]),
        ({"name_pattern": PATTERN, "optional": ("*.xml", "*.txt"), "partition": "2023",
          "parts_match": {"year": "{partition}"}},
         ["roads_2024.gpkg: year is 2024, but the partition is 2023"]),
        ({"name_pattern": PATTERN, "optional": ("*.xml", "*.txt", "old/*"),
          "years": (2024, None, 2022, 2021, 2020), "parts_match": {"year": "year"}},
         ["roads_2024.gpkg: year is 2024, but column year is 2024, null, 2022, …"]),
    ],
)  # fmt: skip
def test_each_file_is_named(parameters, reasons):
    result, found = judged(**parameters)
    assert (result.status, found) == (Status.FAILED, reasons)


def test_what_could_not_be_compared_is_said():
    whole = {"name_pattern": ".*(?P<year>x)?", "parts_match": {"year": "year"}}
    result, reasons = judged(years=(), **whole)
    assert (reasons, "column year holds no value to compare" in result.message) == ([], True)
    rule = DeliveryContents(required=("a.gpkg",), **whole)
    result, violations = run_rule(rule, memory_vector([], error="gone", delivery=Delivery(FILES)))
    assert violations.reasons.tolist() == ["a.gpkg is missing"]
    assert "year is not known, since the source cannot be read" in result.message


@pytest.mark.parametrize(
    ("data", "parts", "message"),
    [
        (memory_vector([]), {}, "the delivery was not listed"),
        (memory_vector([], delivery=Delivery(error="the folder is gone")), {}, "folder is gone"),
        (memory_vector([], delivery=Delivery()), {"a": "{partition}"}, "dataset with partitions"),
        (memory_vector([], delivery=Delivery()), {"a": "b"}, "needs column b"),
    ],
)
def test_what_cannot_be_judged_is_an_error(data, parts, message):
    rule = DeliveryContents(name_pattern="(?P<a>x)", parts_match=parts)
    result, _ = run_rule(rule, data)
    assert (result.status, message in result.message) == (Status.ERROR, True)


def test_rasters_have_a_delivery_and_no_columns():
    data = memory_raster([[[1]]], delivery=Delivery(FILES))
    _, violations = run_rule(DeliveryContents(forbidden=("*.txt",)), data)
    assert violations.reasons.tolist() == ["readme.txt is forbidden (*.txt)"]
    with pytest.raises(pydantic.ValidationError, match="parts_match: a raster has no columns"):
        RasterContract(
            name="a",
            source={"uri": "a.tif"},
            rules=[DeliveryContents(name_pattern="(?P<a>x)", parts_match={"a": "b"})],
        )


@pytest.mark.parametrize(
    "parameters",
    [
        {},
        {"required": ("/etc/*",)},
        {"forbidden": ("../*",)},
        {"name_pattern": "x", "parts_match": {"year": "year"}},
        {"required": ("x",), "parts_match": {"year": "year"}},
    ],
)
def test_parameters_without_meaning_are_mistakes(parameters):
    with pytest.raises(pydantic.ValidationError):
        DeliveryContents(**parameters)


@pytest.mark.parametrize(
    ("text", "value", "same"),
    [
        ("007", 7, True), ("7x", 7, False), ("7", "007", False), ("1.50", 1.5, True),
        ("1.50", Decimal("1.5"), True), ("x", 1.5, False), ("a", "a", True),
        ("20240105", dt.date(2024, 1, 5), True), ("20240105", "2024-01-05", True),
        ("2024-01-05", dt.date(2024, 1, 5), True), ("1", True, False), ("null", None, False),
    ],
)  # fmt: skip
def test_a_part_says_a_value(text, value, same):
    assert says(text, value) is same


def by_parts(glob, name):
    """Name by name, as the shell does; the last of ** is everything below."""
    if not glob:
        return not name
    if glob[0] == "**":
        below = range(len(name)) if len(glob) == 1 else range(len(name) + 1)
        return any(len(glob) == 1 or by_parts(glob[1:], name[i:]) for i in below)
    return bool(name) and fnmatchcase(name[0], glob[0]) and by_parts(glob[1:], name[1:])


PART = st.text("ab.*?", min_size=1, max_size=3).filter(lambda t: "**" not in t)


@given(
    st.lists(PART | st.just("**"), min_size=1, max_size=4),
    st.lists(st.text("ab.", min_size=1, max_size=3).filter(lambda t: t.strip(".")), min_size=1,
             max_size=4),
)  # fmt: skip
@settings(max_examples=200, deadline=None)
def test_a_glob_matches_as_in_a_shell(glob, name):
    text = str(PurePosixPath(*name))
    assert bool(expression("/".join(glob)).fullmatch(text)) == by_parts(glob, name)


NAMES = ("a.x", "b.x", "c.y", "d/a.x", "e")


@given(
    st.sets(st.sampled_from(NAMES[:4])),
    st.sets(st.sampled_from(NAMES), min_size=1),
    st.none() | st.sets(st.sampled_from(NAMES)),
    st.none() | st.sets(st.sampled_from(NAMES), min_size=1),
    st.none() | st.just(r"[ab]\.x"),
)
@settings(max_examples=60, deadline=None)
def test_it_is_the_difference_of_sets(files, required, optional, forbidden, pattern):
    globs = {"required": required, "optional": optional, "forbidden": forbidden}
    globs = {k: None if v is None else tuple(v) for k, v in globs.items()}
    _, reasons = judged(tuple(files), name_pattern=pattern, **globs)
    rest = files - (forbidden or set()) - (optional or set())
    wrong = files & (forbidden or set())
    if pattern is not None:
        wrong |= {f for f in rest if not re.fullmatch(pattern, f)}
    elif optional is not None:
        wrong |= rest - required
    assert len(reasons) == len(wrong) + len(required - files)
    assert {f for f in files if any(f in r.split() for r in reasons)} == wrong
