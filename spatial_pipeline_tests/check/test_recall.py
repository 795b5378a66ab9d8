"""A check that recalls an earlier version says what a check of all of it says."""

from __future__ import annotations

import asyncio
import dataclasses
import struct
from collections.abc import Sequence
from typing import Any

import numpy as np
import pyarrow as pa
import pytest
import shapely
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from spatial_pipeline.check import catalogue
from spatial_pipeline.check.base import CHECKS, check_class
from spatial_pipeline.check.engine import Plan, evaluate
from spatial_pipeline.check.parity.staged import StagedVectorCheck
from spatial_pipeline.check.recall import Facts, Remembering, carried, changes
from spatial_pipeline.check.repeat import Answers, Batches, Repeating
from spatial_pipeline.contract.models import VectorContract
from spatial_pipeline.contract.rules import Rule
from spatial_pipeline.identity import identities, matched
from spatial_pipeline.pieces import BatchDigest
from spatial_pipeline_tests.check.agreement import said
from spatial_pipeline_tests.support import memory_vector

RULES: list[dict[str, Any]] = [
    {"rule": "readable"},
    {"rule": "not_empty"},
    {"rule": "not_empty", "name": "or_null", "allow_null": True},
    {"rule": "finite_coordinates"},
    {"rule": "valid_geometry"},
    {"rule": "valid_geometry", "name": "every_defect", "all_errors": True},
    {"rule": "geometry_type", "any_of": ["Polygon"]},
    {"rule": "not_null", "columns": ["kind"]},
    {"rule": "unique", "columns": ["id"]},
    {"rule": "unique", "name": "kinds", "columns": ["kind"]},
    {"rule": "value_range", "column": "size", "max": 2},
    {"rule": "value_range", "name": "of_some", "column": "size", "max": 2, "where": "kind = 'a'"},
    {"rule": "no_duplicate_geometries"},
    {"rule": "no_duplicate_geometries", "name": "by_kind", "with_columns": ["kind"]},
    {"rule": "no_duplicate_geometries", "name": "nearly", "tolerance": 0.5},
    {"rule": "must_not_overlap"},
    {"rule": "must_not_overlap", "name": "by_much", "tolerance": 25},
    {"rule": "must_not_overlap", "name": "of_a_kind", "group_by": ["kind"]},
    {"rule": "must_not_have_gaps"},
    {"rule": "must_not_have_gaps", "name": "wide", "min_width": 3},
    {"rule": "must_not_have_gaps", "name": "here", "within": {"uri": "areas.parquet"}},
    {"rule": "must_not_have_dangles"},
    {"rule": "must_not_have_dangles", "name": "far", "tolerance": 4},
    {"rule": "must_be_covered_by", "other": {"uri": "areas.parquet"}},
]


def rules_of(*written: dict[str, Any]) -> tuple[Rule, ...]:
    return VectorContract.model_validate(
        {"name": "layer", "source": {"uri": "layer.parquet"}, "rules": list(written)}
    ).rules


class Kept:
    """A history in memory: what was kept of one version, as another one sees it."""

    def __init__(self, data: Any, former: Kept | None = None) -> None:
        self.data = data
        self.former = former
        self.facts: dict[tuple[str, str], Facts] = {}
        self.digests: set[str] = set()
        self.answered: dict[tuple[str, str], Answers] = {}
        self.hits = 0

    def recall(self, name: str, wording: str, reach: float | None) -> Facts | None:
        if self.former is None or (name, wording) not in self.former.facts:
            return None
        self.hits += 1
        match = matched(ids(self.data), ids(self.former.data))
        gone = np.setdiff1d(np.arange(self.former.data.row_count()), match)
        boxes = self.data.feature_bounds(), self.former.data.feature_bounds()[gone]
        where = None if reach is None else changes(match, *boxes, reach)
        return carried(self.former.facts[name, wording], match, where)

    def keep(self, name: str, wording: str, facts: Facts) -> None:
        self.facts[name, wording] = facts

    def batches(self) -> Batches:
        digests = digests_of(self.data)
        known = set() if self.former is None else self.former.digests
        return Batches(digests, np.array([d.values in known for d in digests], dtype=bool))

    def keep_batches(self) -> None:
        self.digests = {d.values for d in digests_of(self.data)}

    def answers(self, name: str, wording: str) -> Answers:
        return {} if self.former is None else self.former.answered.get((name, wording), {})

    def keep_answers(self, name: str, wording: str, answers: Answers) -> None:
        self.answered[name, wording] = dict(answers)


def digests_of(data: Any) -> list[BatchDigest]:
    return [data.batch_digest(i) for i in range(data.batch_count())]


def ids(data: Any) -> Any:
    return identities(data.everything.wkb)


def checked(
    rules: Sequence[Rule], data: Any, history: Any = None, size: int | None = None, others: Any = ()
) -> list[Any]:
    """Everything that a check says, time apart."""
    found = asyncio.run(
        evaluate(
            rules,
            data,
            others=lambda rule: tuple(others) if rule.others() else (),
            plan=Plan(jobs=2, piece_size=size),
            history=history,
        )
    )
    return [(dataclasses.replace(r, elapsed_s=0.0), said(f)) for r, f in found]


def cell(x: float, y: float, width: float = 10.0, height: float = 10.0) -> shapely.Polygon:
    return shapely.box(x, y, x + width, y + height)


def odd(kind: int, x: float, y: float) -> Any:
    """A geometry that something is to be said of, or nothing."""
    return (
        shapely.Polygon([(x, y), (x + 9, y + 9), (x + 9, y), (x, y + 9)]),
        None,
        shapely.Polygon(),
        shapely.Polygon([(x, y, 1), (x + 4, y, 2), (x, y + 4, 3)]),
        struct.pack("<BII4d", 1, 2, 2, x, y, x + 5, float("nan")),
        b"\x01\x03",
        shapely.Point(x, y),
        shapely.LineString([(x, y), (x + 20, y + 1)]),
        shapely.GeometryCollection([cell(x, y), shapely.Point(x, y)]),
        shapely.MultiPolygon([cell(x, y, 3, 3), cell(x + 5, y + 5, 3, 3)]),
        cell(x, y).difference(cell(x + 2, y + 2, 3, 3)),
    )[kind]


Feature = tuple[Any, str | None]


@st.composite
def features(draw: st.DrawFn) -> Feature:
    """A cell of a grid of five by four, moved or not, or something odd; and an attribute."""
    x, y = 10.0 * draw(st.integers(0, 4)), 10.0 * draw(st.integers(0, 3))
    kind = draw(st.one_of(st.just(-1), st.integers(-4, 10)))
    geometry = cell(x, y)
    if kind >= 0:
        geometry = odd(kind, x, y)
    elif kind < -2:
        geometry = cell(x + kind, y, 10.0, 12.0)
    return geometry, draw(st.sampled_from(["a", "b", None]))


@st.composite
def histories(draw: st.DrawFn) -> list[list[Feature]]:
    """Some versions of a layer, each an edit of the one before."""
    grid: list[Feature] = [(cell(10.0 * i, 10.0 * j), "a") for i in range(5) for j in range(4)]
    versions = [grid[: draw(st.integers(0, 20))] + draw(st.lists(features(), max_size=6))]
    for _ in range(draw(st.integers(1, 3))):
        layer = list(versions[-1])
        for _ in range(draw(st.integers(0, 4))):
            what = draw(st.sampled_from(["add", "remove", "change", "copy", "attribute", "order"]))
            at = draw(st.integers(0, max(len(layer) - 1, 0)))
            if what == "add" or not layer:
                layer.insert(at, draw(features()))
            elif what == "remove":
                layer.pop(at)
            elif what == "change":
                layer[at] = (draw(features())[0], layer[at][1])
            elif what == "copy":
                layer.insert(draw(st.integers(0, len(layer))), layer[at])
            elif what == "attribute":
                layer[at] = (layer[at][0], draw(st.sampled_from(["a", "b", None])))
            else:
                layer = draw(st.permutations(layer))
        versions.append(layer)
    return versions


def layer_of(version: Sequence[Feature], batch_size: int = 7, **profile: Any) -> Any:
    kinds = [kind for _, kind in version]
    columns = {
        "kind": pa.array(kinds, pa.string()),
        "id": np.arange(len(kinds)),
        "size": [None if k is None else ord(k) - 96 + i % 2 for i, k in enumerate(kinds)],
    }
    return memory_vector([g for g, _ in version], columns, batch_size=batch_size, **profile)


AREAS = [
    (cell(-5, -5, 30, 60), None),
    (cell(25, -5, 20, 60), None),
    (odd(0, 40, 30), None),
    (None, None),
]
"""What features are to be covered by: two areas, one that is not valid, and none."""


def told_alike(versions: list[list[Feature]], rules: Any, size: int | None) -> None:
    """Every version after the first, recalling the former, says what a check of all says."""
    kept, areas = None, [layer_of(AREAS)]
    for version in versions:
        data = layer_of(version)
        kept = Kept(data, kept)
        recalling = checked(rules, data, kept, size, areas)
        for one, other in zip(recalling, checked(rules, data, None, size, areas), strict=True):
            assert one == other


@settings(max_examples=15, deadline=None, suppress_health_check=list(HealthCheck))
@given(histories(), st.sampled_from([None, 3]))
def test_same_results_whatever_was_edited(versions: list[list[Feature]], size: int | None) -> None:
    told_alike(versions, rules_of(*RULES), size)


@settings(max_examples=4, deadline=None, suppress_health_check=list(HealthCheck))
@given(histories())
def test_same_results_where_a_condition_selects(versions: list[list[Feature]]) -> None:
    told_alike(versions, rules_of({"rule": "valid_geometry", "where": "kind = 'a'"}), None)


@settings(max_examples=2, deadline=None, suppress_health_check=list(HealthCheck))
@given(histories())
def test_same_results_feature_by_feature(versions: list[list[Feature]]) -> None:
    told_alike(versions, rules_of(*RULES), 1)


def remembering() -> set[type[Any]]:
    catalogue.load()
    proved = {StagedVectorCheck}  # it needs what ingest says of a file: see test_earlier
    return {c for c in CHECKS.values() if issubclass(c, Remembering | Repeating)} - proved


def test_every_check_that_remembers_is_compared() -> None:
    compared = {check_class(type(r), "vector") for r in rules_of(*RULES)}
    assert remembering() <= compared


def shown(monkeypatch: pytest.MonkeyPatch, kind: type[Any]) -> list[int]:
    """Numbers of the features that a check gets to see from now on."""
    seen: list[int] = []
    plain = kind.map

    def watched(self: Any, batch: Any, *rest: Any) -> Any:
        seen.append(len(batch))
        return plain(self, batch, *rest)

    monkeypatch.setattr(kind, "map", watched)
    return seen


def test_only_what_changed_or_was_remarkable_is_looked_at(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    rules = rules_of({"rule": "valid_geometry"})
    before = [(cell(10.0 * i, 0), "a") for i in range(50)] + [(odd(0, 0, 50), "a")]
    after = [*before[:20], (cell(205, 0), "a"), *before[21:]]
    first = Kept(layer_of(before))
    checked(rules, first.data, first)
    seen = shown(monkeypatch, check_class(type(rules[0]), "vector"))
    second = Kept(layer_of(after), first)
    checked(rules, second.data, second)
    assert sum(seen) == 2, "the changed one, and the bow-tie that is to be told again"
    assert second.hits == 1


@pytest.mark.parametrize(
    "change",
    [
        pytest.param({"rule": "valid_geometry", "all_errors": True}, id="parameter"),
        pytest.param({"rule": "valid_geometry", "name": "other"}, id="name"),
    ],
)
def test_another_wording_is_asked_anew(
    monkeypatch: pytest.MonkeyPatch, change: dict[str, Any]
) -> None:
    layer = [(cell(10.0 * i, 0), "a") for i in range(9)]
    first = Kept(layer_of(layer))
    checked(rules_of({"rule": "valid_geometry"}), first.data, first)
    rules = rules_of(change)
    seen = shown(monkeypatch, check_class(type(rules[0]), "vector"))
    second = Kept(layer_of(layer), first)
    checked(rules, second.data, second)
    assert sum(seen) == 9


def test_another_crs_is_asked_anew(monkeypatch: pytest.MonkeyPatch) -> None:
    layer = [(cell(10.0 * i, 0), "a") for i in range(9)]
    rules = rules_of({"rule": "valid_geometry"})
    first = Kept(layer_of(layer))
    checked(rules, first.data, first)
    seen = shown(monkeypatch, check_class(type(rules[0]), "vector"))
    second = Kept(layer_of(layer, crs="EPSG:32632"), first)
    checked(rules, second.data, second)
    assert sum(seen) == 9


def test_severity_bounds_and_conditions_need_no_second_look(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    layer = [(cell(10.0 * i, 0), "ab"[i % 2]) for i in range(8)]
    first = Kept(layer_of(layer))
    checked(rules_of({"rule": "valid_geometry"}), first.data, first)
    rules = rules_of(
        {"rule": "valid_geometry", "severity": "warn", "max_violations": 3, "where": "kind = 'a'"}
    )
    seen = shown(monkeypatch, check_class(type(rules[0]), "vector"))
    second = Kept(layer_of(layer), first)
    found = checked(rules, second.data, second)
    assert sum(seen) == 0
    assert found[0][0].checked == 4


def test_what_a_condition_left_out_is_looked_at_when_it_is_selected(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    rules = rules_of({"rule": "valid_geometry", "where": "kind = 'a'"})
    first = Kept(layer_of([(cell(10.0 * i, 0), "ab"[i % 2]) for i in range(8)]))
    checked(rules, first.data, first)
    seen = shown(monkeypatch, check_class(type(rules[0]), "vector"))
    second = Kept(layer_of([(cell(10.0 * i, 0), "a") for i in range(8)]), first)
    found = checked(rules, second.data, second)
    assert sum(seen) == 4
    assert found[0][0].checked == 8
