from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np
import shapely
from hypothesis import given, settings
from hypothesis import strategies as st

from spatial_pipeline.model.violation_runs import SpilledViolations
from spatial_pipeline.model.violations import Violations
from spatial_pipeline.store.violation_files import ViolationFolder

PLACES = [
    None,
    shapely.Point(1, 2),
    shapely.Point(),
    shapely.Point(float("nan"), 1),
    shapely.LineString([(0, 0), (1, 1), (2, 0)]),
    shapely.LineString([(0, 0), (1, 0), (2, 1)]),
    shapely.from_wkt("POLYGON Z ((0 0 1, 1 0 2, 1 1 3, 0 0 1))"),
]
REASONS = ["too wide", "Überlappung", "\ud800 broken", ""]
ONE = st.tuples(
    st.integers(-1, 5), st.integers(-1, 5), st.sampled_from(REASONS),
    st.integers(0, len(PLACES) - 1), st.sampled_from([float("nan"), 0.0, 1.5, float("inf")]),
    st.integers(-1, 2), st.integers(-1, 1),
)  # fmt: skip
PIECE = st.tuples(st.integers(1, 2), st.lists(ONE, min_size=1, max_size=12))


def built(width: int, rows: list[Any]) -> Violations:
    first, second, reasons, places, measure, part, vertex = zip(*rows, strict=True)
    geometry = np.array([PLACES[i] for i in places], dtype=object)
    index = np.array([first, second]).T[:, :width]
    return Violations.build(index, list(reasons), geometry, measure, "m", part, -1, vertex)


def keyed(violations: Violations) -> Violations:
    keys = [tuple((f"k{r}", int(r), None) for r in row if r >= 0) for row in violations.rows]
    return (
        Violations.concat([violations, Violations.none()])
        if not keys
        else with_keys(violations, keys)
    )


def with_keys(violations: Violations, keys: list[Any]) -> Violations:
    v = violations
    return Violations.build(
        v.rows, v.reasons, v.geometry, v.measure, v.unit, v.part, v.ring, v.vertex, keys
    )


def told(violations: Violations) -> list[Any]:
    keys = violations.keys if violations.keys is not None else [None] * len(violations)
    return [
        (*(r for r in row if r >= 0), reason, shapely.to_wkt(g) if g else g, repr(m), p, v, k)
        for row, reason, g, m, p, v, k in zip(
            violations.rows.tolist(), violations.reasons, violations.geometry,
            violations.measure.tolist(), violations.part.tolist(), violations.vertex.tolist(), keys,
            strict=True,
        )
    ]  # fmt: skip


@given(
    pieces=st.lists(PIECE, min_size=1, max_size=8), order=st.randoms(), at_once=st.integers(1, 40),
    run=st.integers(1, 4),
)  # fmt: skip
@settings(max_examples=60, deadline=None)
def test_runs_are_read_back_as_if_they_had_stayed_in_memory(
    tmp_path_factory: Any, pieces: Any, order: Any, at_once: int, run: int
) -> None:
    parts = [built(*p) for p in pieces]
    expected = keyed(Violations.concat(parts).sorted())
    sink = ViolationFolder(0, tmp_path_factory.mktemp("runs"))
    arrived = list(range(len(parts)))
    order.shuffle(arrived)
    runs = []
    for begin in range(0, len(arrived), run):
        of = sorted(arrived[begin : begin + run])
        violations = keyed(Violations.concat(parts[i] for i in of))
        runs.append(sink.write(violations, np.concatenate([np.full(len(parts[i]), i) for i in of])))
    spilled = SpilledViolations(tuple(runs), at_once)
    assert len(spilled) == len(expected)
    assert told(Violations.concat(spilled.parts())) == told(expected)
    assert told(spilled.head(5)) == told(expected.take(slice(0, 5)))


def test_many_findings_come_some_at_once(tmp_path: Path) -> None:
    sink = ViolationFolder(0, tmp_path)
    runs = []
    for i in range(10):
        rows = np.arange(i, 100_000, 10)
        found = Violations.build(rows, "bad", shapely.points(rows, rows))
        runs.append(sink.write(keyed(found), np.full(len(rows), i)))
    sizes, rows = [], []
    for part in SpilledViolations(tuple(runs), 8_000).parts():
        sizes.append(len(part))
        rows.append(part.rows[:, 0])
        assert part.keys is not None
        assert json.dumps(part.keys[0]) == json.dumps(
            [[f"k{part.rows[0, 0]}", int(part.rows[0, 0]), None]]
        )
    assert np.array_equal(np.concatenate(rows), np.arange(100_000))
    # A block of each run is more than was asked for at most.
    assert max(sizes) <= 8_000 + 10 * 1024
    assert len(sizes) >= 6
