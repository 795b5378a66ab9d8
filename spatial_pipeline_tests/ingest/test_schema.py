"""Columns in the form in which they are staged."""

from __future__ import annotations

import numpy as np
import pyarrow as pa
import pytest

from spatial_pipeline.errors import SourceError
from spatial_pipeline.ingest.defects import Defects
from spatial_pipeline.ingest.schema import (
    distinct_names,
    free_name,
    plain,
    sound,
    stageable,
    staged_type,
)


def test_free_names_differ_caselessly() -> None:
    assert free_name("bbox", ["a"]) == "bbox"
    assert free_name("bbox", ["BBox", "bbox_1"]) == "bbox_2"


def test_later_duplicates_are_numbered() -> None:
    assert distinct_names(["a", "b", "a", "a"]) == ["a", "b", "a_1", "a_2"]
    assert distinct_names(["a", "a", "a_1"]) == ["a", "a_2", "a_1"]
    assert distinct_names([]) == []


@pytest.mark.parametrize(
    ("array", "kind"),
    [
        (pa.array(["a", None, "b"]).dictionary_encode(), pa.string()),
        (pa.array(["a", None], pa.string_view()), pa.string()),
        (pa.array([b"a", None], pa.binary_view()), pa.binary()),
        (pa.array([1, None]), pa.int64()),
        (pa.array(["a"], pa.large_string()), pa.large_string()),
        (pa.array([[1, 2], None]), pa.list_(pa.int64())),
        (pa.ExtensionArray.from_storage(pa.json_(pa.string()), pa.array(["1"])), pa.string()),
    ],
)
def test_plain_types(array: pa.Array, kind: pa.DataType) -> None:
    assert staged_type(array.type) == kind
    assert plain(array, kind).type == kind
    assert plain(array, kind).to_pylist() == array.to_pylist() or array.type == pa.json_()


def test_text_that_is_not_utf8_is_named() -> None:
    broken = pa.array([b"caf\xe9", None, b"ok"]).view(pa.string())
    defects = Defects()
    batch = sound(pa.record_batch([broken, pa.array([1, 2, 3])], names=["a", "b"]), defects, 5)
    assert batch.column("a").to_pylist() == [None, None, "ok"]
    (kept,), _ = defects.of_rows(np.arange(9))
    assert (kept.row, kept.column, kept.text, kept.reason) == (5, "a", "caf\\xe9", "is not UTF-8")


def test_an_array_that_is_damaged_is_named() -> None:
    offsets = pa.py_buffer(b"".join(i.to_bytes(4, "little") for i in (0, 5, 2, 5)))
    broken = pa.Array.from_buffers(pa.binary(), 3, [None, offsets, pa.py_buffer(b"short")])
    with pytest.raises(SourceError, match="column 'a' is damaged"):
        sound(pa.record_batch([broken], names=["a"]), Defects(), 0)


def test_what_parquet_cannot_hold_is_named() -> None:
    stageable(pa.schema([("a", pa.int8()), ("b", pa.list_(pa.string()))]))
    with pytest.raises(SourceError, match="column 'b' of type month_day_nano"):
        stageable(pa.schema([("a", pa.int8()), ("b", pa.month_day_nano_interval())]))
