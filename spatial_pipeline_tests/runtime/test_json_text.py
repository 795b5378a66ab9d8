"""JSON of every value that a profile, a verdict, a report or a table may hold."""

from __future__ import annotations

import ast
import datetime as dt
import json
import math
from decimal import Decimal
from enum import Enum
from pathlib import Path
from typing import Any
from uuid import UUID

import numpy as np
import pandas as pd
import pytest
from hypothesis import given
from hypothesis import strategies as st

import spatial_pipeline
from spatial_pipeline.runtime.json_text import json_text, plain


class Colour(Enum):
    RED = "red"


@pytest.mark.parametrize(
    ("value", "text"),
    [
        (math.nan, '"NaN"'),
        (math.inf, '"Infinity"'),
        (-math.inf, '"-Infinity"'),
        (np.float32(math.inf), '"Infinity"'),
        (np.float64(0.5), "0.5"),
        (np.int64(2**62 + 1), "4611686018427387905"),
        (np.uint64(2**64 - 1), "18446744073709551615"),
        (np.bool_(True), "true"),
        (np.array([[1.0, math.nan]]), '[[1.0, "NaN"]]'),
        (np.array(7), "7"),
        (np.datetime64("2020-02-29"), '"2020-02-29"'),
        (
            Decimal("12345678901234567890123456789012345.6"),
            '"12345678901234567890123456789012345.6"',
        ),
        (Decimal("NaN"), '"NaN"'),
        (b"\x00hi", '"\\\\x006869"'),
        (dt.date(2020, 2, 29), '"2020-02-29"'),
        (dt.datetime(2020, 2, 29, 12, 0, 0, 5, dt.UTC), '"2020-02-29T12:00:00.000005+00:00"'),
        (dt.time(1, 2, 3), '"01:02:03"'),
        (dt.timedelta(days=1, microseconds=1500), '"PT86400.0015S"'),
        (-dt.timedelta(seconds=3), '"-PT3S"'),
        (pd.Timestamp("2020-01-01 00:00:00.000000001"), '"2020-01-01T00:00:00.000000001"'),
        (pd.Timedelta(1, "ns"), '"P0DT0H0M0.000000001S"'),
        (UUID(int=1), '"00000000-0000-0000-0000-000000000001"'),
        (Path("a/b"), '"a/b"'),
        (Colour.RED, '"red"'),
        ({3: 1, None: 2, 1.5: 3, dt.date(2020, 1, 1): b""}, None),
        ({1, 2}, "[1, 2]"),
        ("\ud800x", '"\ufffdx"'),
        ("\U0001f600", '"\U0001f600"'),
    ],
)
def test_rare_values(value: Any, text: str | None) -> None:
    written = json_text(value)
    assert text is None or written == text
    json.loads(written.encode("utf-8"), parse_constant=pytest.fail)


def test_keys_are_texts() -> None:
    written = {3: 1, None: 2, 1.5: math.nan, dt.date(2020, 1, 1): b""}
    assert json.loads(json_text(written)) == {"3": 1, "null": 2, "1.5": "NaN", "2020-01-01": "\\x"}


def test_non_finite_as_null() -> None:
    assert (
        json_text([math.inf, {"a": np.float64(math.nan)}], non_finite="null")
        == '[null, {"a": null}]'
    )


def test_what_has_no_form_is_refused() -> None:
    with pytest.raises(TypeError, match="object has no JSON form"):
        json_text({"a": object()})


VALUES = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text() | st.decimals()
    | st.binary() | st.datetimes() | st.timedeltas() | st.characters(categories=["Cs"]),
    lambda inner: st.lists(inner) | st.dictionaries(st.text(), inner),
)  # fmt: skip


@given(VALUES, st.sampled_from(["text", "null"]), st.booleans(), st.sampled_from([None, 1]))
def test_any_value_is_strict_json(
    value: Any, non_finite: Any, ascii_only: bool, indent: Any
) -> None:
    written = json_text(value, non_finite=non_finite, ascii_only=ascii_only, indent=indent)
    read = json.loads(written.encode("utf-8"), parse_constant=pytest.fail)
    # Escapes keep what UTF-8 cannot hold: paths that are no UTF-8 reach another process.
    assert (plain(read) if ascii_only else read) == plain(value, non_finite)


JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False, allow_infinity=False)
    | st.text(),
    lambda inner: st.lists(inner) | st.dictionaries(st.text(), inner),
)  # fmt: skip


@given(JSON)
def test_ordinary_values_come_back(value: Any) -> None:
    assert json.loads(json_text(value)) == value


def test_nobody_else_writes_json() -> None:
    package = Path(spatial_pipeline.__file__).parent
    writers = [
        f"{path.relative_to(package)}:{node.lineno}"
        for path in sorted(package.rglob("*.py"))
        if path.name != "json_text.py"
        for node in ast.walk(ast.parse(path.read_bytes()))
        if isinstance(node, ast.Attribute)
        and node.attr in {"dumps", "dump"}
        and isinstance(node.value, ast.Name)
        and node.value.id in {"json", "orjson"}
    ]
    assert writers == []
