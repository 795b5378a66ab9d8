"""Pieces that an earlier version has byte by byte are not looked at again."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
import pytest

from spatial_pipeline.model.readers import BatchDigest
from spatial_pipeline_tests.check.incremental.test_feature_cache import (
    Feature,
    Kept,
    cell,
    checked,
    layer_of,
    odd,
    rules_of,
)

RULES = rules_of(
    {"rule": "readable"},
    {"rule": "valid_geometry"},
    {"rule": "unique", "columns": ["id"]},
    {"rule": "not_null", "columns": ["kind"]},
    {"rule": "value_range", "column": "size", "max": 9},
    {"rule": "must_not_overlap"},
    {"rule": "must_not_have_gaps"},
    {"rule": "no_duplicate_geometries"},
    {"rule": "must_be_covered_by", "other": {"uri": "areas.parquet"}},
)
AREA = [(cell(-1000, -1000, 9000, 9000), None)]
BATCH = 7


def sheet(count: int) -> list[Feature]:
    """Cells that stand apart from each other."""
    return [(cell(20.0 * (i % 10), 20.0 * (i // 10)), "a") for i in range(count)]


def read(monkeypatch: pytest.MonkeyPatch, data: Any) -> list[int]:
    """Staged positions that are read of some data from now on."""
    found: list[int] = []
    plain = data.take

    def watched(positions: Any, columns: Sequence[str], *, geometry: bool = True) -> Any:
        found.extend(np.asarray(positions).tolist())
        return plain(positions, columns, geometry=geometry)

    monkeypatch.setattr(data, "take", watched)
    return found


@pytest.mark.parametrize("size", [None, 3])
def test_only_pieces_that_changed_are_read(
    monkeypatch: pytest.MonkeyPatch, size: int | None
) -> None:
    before = sheet(50)
    after = [*before[:25], (cell(101, 41, 8, 8), "a"), *before[26:]]
    first, areas = Kept(layer_of(before, BATCH)), [layer_of(AREA)]
    checked(RULES, first.data, first, size, areas)
    data = layer_of(after, BATCH)
    found = read(monkeypatch, data)
    again = checked(RULES, data, Kept(data, first), size, areas)
    assert 25 in found
    assert set(found) <= set(range(21, 28)), "the batch of the cell that changed"
    assert again == checked(RULES, layer_of(after, BATCH), None, size, areas)


def test_pieces_in_which_something_was_found_are_read_again(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    layer = sheet(50)
    layer[10] = (odd(0, 0, 500), "a")
    layer[30] = (layer[30][0], None)
    first, areas = Kept(layer_of(layer, BATCH)), [layer_of(AREA)]
    told = checked(RULES, first.data, first, None, areas)
    data = layer_of(layer, BATCH)
    found = read(monkeypatch, data)
    assert checked(RULES, data, Kept(data, first), None, areas) == told
    assert set(found) == {*range(7, 14), *range(28, 35)}


def test_pieces_of_another_size_are_read_again(monkeypatch: pytest.MonkeyPatch) -> None:
    layer = sheet(20)
    rules = rules_of({"rule": "unique", "columns": ["id"]})
    first = Kept(layer_of(layer, BATCH))
    told = checked(rules, first.data, first, None)
    data = layer_of(layer, BATCH)
    found = read(monkeypatch, data)
    assert checked(rules, data, Kept(data, first), 3) == told
    assert set(found) == set(range(20))


def test_batches_are_not_known_when_one_could_not_be_read(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    data = layer_of(sheet(20), BATCH)
    plain = data.take

    def damaged(positions: Any, columns: Sequence[str], *, geometry: bool = True) -> Any:
        if 8 in np.asarray(positions):
            msg = "cannot be read"
            raise OSError(msg)
        return plain(positions, columns, geometry=geometry)

    monkeypatch.setattr(data, "batch_digest", lambda index: BatchDigest(str(index), str(index)))
    monkeypatch.setattr(data, "take", damaged)
    first = Kept(data)
    (result, _), *_ = checked(rules_of({"rule": "readable"}), data, first)
    assert not result.passed
    assert not first.digests


def test_nothing_is_known_of_pieces_when_their_bytes_cannot_be_read() -> None:
    class Unreadable(Kept):
        def batches(self) -> Any:
            return None

        def keep_batches(self) -> None:
            pytest.fail("what the batches are known by cannot be read")

    data = layer_of(sheet(20), BATCH)
    first = Unreadable(data)
    rules = rules_of({"rule": "unique", "columns": ["id"]})
    assert checked(rules, data, first) == checked(rules, data)
    assert list(first.answered.values()) == [{}]
