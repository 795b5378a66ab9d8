from __future__ import annotations

import asyncio
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import shapely
from hypothesis import given, settings
from hypothesis import strategies as st

from spatial_pipeline.check.coverage.overlap_pairs import DECIDED
from spatial_pipeline.check.engine.engine import evaluate
from spatial_pipeline.check.engine.plan import Plan
from spatial_pipeline.check.rules.topology import must_not_overlap
from spatial_pipeline.check.violation_buffer import SHARE
from spatial_pipeline.contract.rules.metadata import NotNull, Unique, ValueRange
from spatial_pipeline.contract.rules.topology import (
    MatchedEdges,
    MustBeCoveredBy,
    MustNotHaveDangles,
    MustNotHaveGaps,
    MustNotOverlap,
)
from spatial_pipeline.contract.rules.validity import NoDuplicateGeometries, NotEmpty, ValidGeometry
from spatial_pipeline.contract.vocabulary import Status
from spatial_pipeline.model.violation_runs import SpilledViolations, parts_of, weight
from spatial_pipeline.model.violations import Violations
from spatial_pipeline.store.violation_files import ViolationFolder
from spatial_pipeline_tests.store.test_violation_files import told
from spatial_pipeline_tests.support import memory_vector

BOW_TIE = shapely.from_wkt("POLYGON ((0 0, 1 1, 1 0, 0 1, 0 0))")
LINE = shapely.LineString([(0, 0), (2, 0)])
RING = shapely.box(0, 0, 3, 3).difference(shapely.box(1, 1, 2, 2))
SHAPES = [BOW_TIE, shapely.box(0, 0, 1, 1), shapely.Point(), None, shapely.Point(3, 3), b"broken",
          shapely.box(0.5, 0, 1.5, 1), LINE, shapely.box(1, 0, 2, 1), RING]  # fmt: skip
RULES = [
    ValidGeometry(),
    NotEmpty(),
    NotNull(columns=["id", "value"]),
    ValueRange(column="value", min=0, max=1),
    Unique(columns=["value"]),
    NoDuplicateGeometries(),
    MustNotOverlap(),
    MustNotHaveGaps(),
    MustNotHaveDangles(),
    MatchedEdges(),
]


def evaluated(data: Any, sink: Any, piece: int, jobs: int = 2, rules: Any = RULES) -> Any:
    plan = Plan(jobs, piece_size=piece, sink=sink)
    return asyncio.run(evaluate(rules, data, key=("id",), plan=plan))


def same(results: Any) -> list[Any]:
    return [(r.status, r.checked, r.violations, r.value, r.message, r.sample) for r, _ in results]


@given(
    shapes=st.lists(st.integers(0, len(SHAPES) - 1), min_size=1, max_size=60),
    limit=st.integers(0, 20_000),
    piece=st.integers(1, 9),
)
@settings(max_examples=40, deadline=None)
def test_findings_in_files_change_nothing(
    tmp_path_factory: Any, shapes: list[int], limit: int, piece: int
) -> None:
    values = [None if i == 4 else i / 2 for i in shapes]
    data = memory_vector(
        [SHAPES[i] for i in shapes],
        columns={"id": [f"k{i}" for i in range(len(shapes))], "value": values},
        crs="EPSG:32633",
        batch_size=7,
    )
    expected = evaluated(data, None, piece)
    folder = ViolationFolder(limit, tmp_path_factory.mktemp("spilled"))
    found = evaluated(data, folder, piece)
    assert same(found) == same(expected)
    for (_, ours), (_, theirs) in zip(found, expected, strict=True):
        assert isinstance(ours, SpilledViolations) or limit > 0 or not len(ours)
        assert told(Violations.concat(parts_of(ours))) == told(theirs)


def test_uncovered_parts_of_all_kinds_in_files_are_told_the_same(tmp_path: Path) -> None:
    rule = [MustBeCoveredBy.model_validate({"other": {"uri": "towns.gpkg"}})]
    shapes = [shapely.box(i, 0, i + 2, 1) for i in range(9)]
    lines = [shapely.LineString([(i, 0), (i, 3)]) for i in range(9)]
    points = list(shapely.points(np.arange(9.0), 2.5))
    data = memory_vector([*shapes, *lines, *points, *shapes], columns={"id": list(range(36))})
    towns = memory_vector([shapely.box(0, 0, 5, 2)])
    found, expected = (
        asyncio.run(
            evaluate(
                rule, data, key=("id",), others=lambda _: (towns,),
                plan=Plan(2, piece_size=5, sink=sink),
            )
        )
        for sink in (ViolationFolder(0, tmp_path), None)
    )  # fmt: skip
    assert same(found) == same(expected)
    (_, ours), (_, theirs) = found[0], expected[0]
    assert isinstance(ours, SpilledViolations)
    assert theirs.unit == "m² (lines: m)"
    assert told(Violations.concat(parts_of(ours))) == told(theirs)
    assert "uncovered line" in found[0][0].message


class Counting(ViolationFolder):
    """Says how many violations were in memory when they went to a file."""

    def __init__(self, limit: int, parent: Path) -> None:
        super().__init__(limit, parent)
        self.sizes: list[int] = []

    def write(self, violations: Violations, pieces: Any) -> Any:
        self.sizes.append(len(violations))
        return super().write(violations, pieces)


def test_three_hundred_thousand_violations_keep_a_bounded_number_in_memory(tmp_path: Path) -> None:
    count, piece, held = 300_000, 4096, 12_000
    data = memory_vector(
        shapely.points(np.arange(count), 1.0),
        columns={"id": list(range(count)), "value": [2.0] * count},
        crs="EPSG:32633",
        batch_size=piece,
    )
    sink = Counting(held * weight(Violations.build([0], "", shapely.Point())), tmp_path)
    rule = [ValueRange(column="value", min=0, max=1)]
    jobs = 2
    ((result, found),) = evaluated(data, sink, piece, jobs, rules=rule)
    assert isinstance(found, SpilledViolations)
    assert result.violations == len(found) == sum(sink.sizes) == count
    assert [v.keys for v in result.sample] == [((i,),) for i in range(20)]
    # Every lane may bring its piece before the first of them is counted.
    assert max(sink.sizes) <= held + Plan(jobs).in_flight * piece
    read = [len(part) for part in found.parts()]
    assert sum(read) == count
    # A block of each run more than was asked for, at most.
    assert max(read) <= found.at_once + 1024 * len(found.runs) <= 3 * held + piece


@pytest.mark.parametrize("jobs", [1, 2])
def test_a_sheet_over_another_one_keeps_a_bounded_number_of_overlaps_in_memory(
    tmp_path: Path, jobs: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    side, held = 90, 3000
    x, y = np.meshgrid(np.arange(side), np.arange(side))
    sheet = shapely.box(x, y, x + 1, y + 1).ravel()
    data = memory_vector(
        np.concatenate([sheet, shapely.transform(sheet, lambda c: c + 0.25)]),
        columns={"id": list(range(2 * side * side))},
        crs="EPSG:32633",
        batch_size=500,
    )
    rule = [MustNotOverlap()]
    ((expected, all_of_them),) = evaluated(data, None, 500, jobs, rules=rule)
    one = weight(Violations.build([0], "", shapely.box(0, 0, 1, 1)))
    sink = Counting(held * one, tmp_path)
    monkeypatch.setattr(must_not_overlap, "DECODED", 1000)
    ((result, found),) = evaluated(data, sink, 500, jobs, rules=rule)
    assert same([(result, found)]) == same([(expected, all_of_them)])
    assert result.violations == len(found) == (2 * side - 1) ** 2
    assert isinstance(found, SpilledViolations)
    assert told(Violations.concat(parts_of(found))) == told(all_of_them)
    # What is written at once: a share of the limit, and as many pairs as are decided at once.
    assert max(sink.sizes) <= held // SHARE + DECIDED
    assert len(sink.sizes) > 1


class FullDisk(ViolationFolder):
    def write(self, violations: Any, pieces: Any) -> Any:
        msg = "no space left on device"
        raise OSError(msg)


def test_a_full_disk_is_the_result_of_the_rules_that_needed_it(tmp_path: Path) -> None:
    data = memory_vector([BOW_TIE] * 20, columns={"id": list(range(20)), "value": [0.5] * 20})
    found = evaluated(data, FullDisk(0, tmp_path), 5)
    failed = {r.name: r.message for r, _ in found if r.status is Status.ERROR}
    assert "nothing to judge" in failed.pop("must_not_have_dangles")
    assert set(failed) == {"valid_geometry", "unique", "no_duplicate_geometries"}
    assert "no space left" in found[0][0].message
