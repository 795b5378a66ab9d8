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

from spatial_pipeline.check.base import CHECKS, check_class
from spatial_pipeline.check.engine import catalogue
from spatial_pipeline.check.engine.engine import evaluate
from spatial_pipeline.check.engine.plan import Plan
from spatial_pipeline.check.forms.feature_rule import FeatureRuleCheck
from spatial_pipeline.check.forms.overlay_rule import OverlayRuleCheck
from spatial_pipeline.check.forms.tile_rule import TileRuleCheck
from spatial_pipeline.check.incremental import feature_cache
from spatial_pipeline.check.incremental.feature_cache import Facts, Remembering, carried, changes
from spatial_pipeline.check.rules.topology import must_not_overlap
from spatial_pipeline.contract.models import VectorContract
from spatial_pipeline.contract.rules import Rule
from spatial_pipeline.model.hashing.geometry_hash import identities, matched
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
    {"rule": "allowed_values", "column": "kind", "values": ["a", "b"]},
    {"rule": "matches", "column": "kind", "pattern": "[ab]"},
    {"rule": "allowed_combinations", "columns": ["kind"], "combinations": [["a"], ["b"]]},
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


def told_alike(
    versions: list[list[Feature]], rules: Any, size: int | None, batch_size: int = 7
) -> None:
    """Every version after the first, recalling the former, says what a check of all says."""
    kept, areas = None, [layer_of(AREAS)]
    for version in versions:
        data = layer_of(version, batch_size)
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


COVERAGES = rules_of(*(r for r in RULES if r["rule"] in {"must_not_overlap", "must_not_have_gaps"}))


@settings(max_examples=25, deadline=None, suppress_health_check=list(HealthCheck))
@given(histories(), st.sampled_from([None, 3]), st.sampled_from([0.1, 0.6, 2.0]))
def test_same_results_whether_pairs_or_edges_left_say_what_overlaps(
    versions: list[list[Feature]], size: int | None, worth: float
) -> None:
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(must_not_overlap, "WORTH", worth)
        # However much of these small layers is new, they are to be recalled.
        patch.setattr(feature_cache, "WORTH", 1.0)
        told_alike(versions, COVERAGES, size)


def grid(columns: int = 16, rows: int = 16) -> list[Feature]:
    """Cells that share their edges, those of a row one after the other."""
    return [(cell(10.0 * i, 10.0 * j), "a") for j in range(rows) for i in range(columns)]


def edited(layer: list[Feature], *edits: tuple[int, Any]) -> list[Feature]:
    """The layer with other geometries at some places."""
    out = list(layer)
    for at, geometry in edits:
        out[at] = (geometry, out[at][1])
    return out


def plain(*geometries: Any) -> list[Feature]:
    return [(g, "a") for g in geometries]


def bow_tie(x: float, y: float) -> shapely.Polygon:
    return odd(0, x, y)


def sheet(x: float, y: float, columns: int, rows: int) -> list[Feature]:
    """Another grid that lies over the first one."""
    return plain(*(cell(x + 10.0 * i, y + 10.0 * j) for j in range(rows) for i in range(columns)))


HOLED = cell(70, 70).difference(cell(73, 73, 3, 3))
TWO = shapely.MultiPolygon([cell(20, 20), cell(104, 104, 3, 3)])
BLOCKS = plain(*(cell(200.0 + 20 * i, 20.0 * j) for i in range(8) for j in range(8)))
# All that overlaps here is one face, and in its middle pairs share no more than the tolerance.
WIDE = edited(grid(), (2, cell(20, 0, 20)), (3, None))
UNDER = plain(*(cell(10.0 * i, -8.0) for i in range(16) if i not in {2, 3}), cell(20, -8, 20))


@pytest.mark.parametrize(
    ("before", "after"),
    [
        pytest.param(grid(), edited(grid(), (40, cell(80, 20, 12, 10))), id="over_its_neighbour"),
        pytest.param(grid(), grid() + sheet(33, 43, 5, 5), id="sheet_comes"),
        pytest.param(
            grid() + sheet(33, 43, 5, 5), edited(grid(), (0, None)) + sheet(33, 43, 5, 5),
            id="sheet_stays",
        ),
        pytest.param(grid() + sheet(33, 43, 5, 5), grid() + sheet(36, 43, 5, 5), id="sheet_moves"),
        pytest.param(grid() + sheet(33, 43, 5, 5), grid(), id="sheet_goes"),
        pytest.param(grid(), grid() + grid()[100:110], id="copies_come"),
        pytest.param(grid() + grid()[100:110], grid() + grid()[100:103], id="copies_go"),
        pytest.param(grid(), grid() + plain(cell(72, 72, 3, 3)), id="island_in_a_polygon"),
        pytest.param(
            edited(grid(), (119, HOLED)),
            edited(grid(), (119, HOLED)) + plain(cell(73, 73, 3, 3), cell(74, 74, 9, 1)),
            id="hole_is_filled",
        ),
        pytest.param(grid(), edited(grid(), (34, TWO)), id="second_part_elsewhere"),
        pytest.param(edited(grid(), (34, TWO)), edited(grid(), (34, cell(20, 20)), (200, None)),
                     id="second_part_goes"),
        pytest.param(grid(), edited(grid(), (100, bow_tie(40, 60))), id="becomes_invalid"),
        pytest.param(
            edited(grid(), (100, bow_tie(40, 60))), edited(grid(), (100, cell(40, 60, 11, 10))),
            id="becomes_valid",
        ),
        pytest.param(
            edited(grid(), (100, bow_tie(40, 60))) + plain(cell(41, 61, 3, 3)),
            grid() + plain(cell(41, 61, 3, 3)),
            id="becomes_valid_over_another_one",
        ),
        pytest.param(grid() + BLOCKS, edited(grid() + BLOCKS, (40, cell(80, 20, 12, 10))),
                     id="beside_buildings"),
        pytest.param(grid() + BLOCKS, grid() + BLOCKS + plain(cell(155, 5), cell(195, 5)),
                     id="over_buildings"),
        pytest.param(
            grid(), edited(grid(), *((i, cell(10.0 * i, 0, 9.0, 9.0)) for i in range(16))),
            id="shares_edges_no_more",
        ),
        pytest.param(
            grid() + plain(odd(7, 0, 0), odd(8, 33, 33)),
            edited(grid(), (3, cell(30, 0, 12, 10)))
            + plain(odd(7, 0, 0), odd(7, 0, 0), odd(8, 33, 33)),
            id="lines_among_polygons",
        ),
        pytest.param(
            WIDE + UNDER, edited(WIDE, (200, None)) + UNDER, id="slight_overlaps_stay"
        ),
        pytest.param(
            grid(), edited(grid(), (40, cell(80, 20, 12, 10)), (60, cell(120, 30, 14, 10))),
            id="about_the_tolerance",
        ),
        pytest.param(grid(), grid()[::-1], id="turned_round"),
    ],
)  # fmt: skip
def test_same_results_of_an_edited_coverage(
    monkeypatch: pytest.MonkeyPatch, before: list[Feature], after: list[Feature]
) -> None:
    monkeypatch.setattr(must_not_overlap, "WORTH", 2.0)
    elsewhere = edited(after, (255, cell(400, 400)))
    told_alike([before, after, elsewhere, before], COVERAGES, 64, batch_size=64)


def decided(monkeypatch: pytest.MonkeyPatch) -> list[int]:
    """Numbers of pairs that the exact predicate is asked of from now on."""
    asked: list[int] = []
    exact = must_not_overlap.shared_violations

    def watched(geometry: Any, rows: Any, pairs: Any, *rest: Any) -> Any:
        asked.append(len(pairs[0]))
        return exact(geometry, rows, pairs, *rest)

    monkeypatch.setattr(must_not_overlap, "shared_violations", watched)
    return asked


@pytest.mark.parametrize(
    ("others", "compared"), [([], False), (BLOCKS, True)], ids=["coverage", "beside_buildings"]
)
def test_pairs_are_decided_only_where_the_former_version_was_no_coverage(
    monkeypatch: pytest.MonkeyPatch, others: list[Feature], compared: bool
) -> None:
    rules = rules_of({"rule": "must_not_overlap"})
    # Pairs whose boxes share no more than their borders are never asked: these cells are no boxes.
    skewed = [(shapely.transform(g, lambda at: at + 0.3 * at[:, ::-1]), kind) for g, kind in grid()]
    wider = shapely.union(skewed[40][0], skewed[41][0])
    after = [(wider, "a") if i == 40 else f for i, f in enumerate(skewed) if i != 41]
    first = Kept(layer_of(skewed + others, batch_size=256))
    checked(rules, first.data, first)
    asked = decided(monkeypatch)
    second = Kept(layer_of(after + others, batch_size=256), first)
    (found,) = checked(rules, second.data, second)
    assert found[0].violations == 0
    assert bool(sum(asked)) == compared


def test_a_chain_of_versions_goes_on_knowing_what_is_left() -> None:
    rules = rules_of({"rule": "must_not_overlap"})
    kept = None
    for edits in ([], [(40, cell(80, 20, 12, 10))], [(80, cell(0, 50, 12, 10))]):
        kept = Kept(layer_of(edited(grid(), *edits), batch_size=256), kept)
        checked(rules, kept.data, kept)
        (facts,) = kept.facts.values()
        assert set(facts.extras) == {"edges", "net"}


def remembering() -> set[type[Any]]:
    catalogue.load()
    found = {c for c in CHECKS.values() if issubclass(c, Remembering)}
    # The laws of feature, tile and overlay rules compare each of them.
    by_laws = FeatureRuleCheck | TileRuleCheck | OverlayRuleCheck
    return {c for c in found if not issubclass(c, by_laws)}


def test_every_check_that_remembers_is_compared() -> None:
    catalogue.load()
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


def test_a_version_without_features_recalls_nothing() -> None:
    former = layer_of(plain(cell(0, 0)))
    rules = COVERAGES
    kept = Kept(former)
    checked(rules, former, kept, None, [layer_of(AREAS)])
    empty = layer_of([])
    recalling = checked(rules, empty, Kept(empty, kept), None, [layer_of(AREAS)])
    assert recalling == checked(rules, empty, None, None, [layer_of(AREAS)])
