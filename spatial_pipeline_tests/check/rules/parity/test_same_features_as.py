"""Two deliveries of the same features: what is said when a known thing was done to one of them."""

import asyncio
import dataclasses
from collections import Counter
from pathlib import Path

import numpy as np
import pyproj
import pytest
import shapely
from hypothesis import given, settings
from hypothesis import strategies as st
from shapely import Point, box

from spatial_pipeline.check.join import geometry_join, paired_diff, unmatched
from spatial_pipeline.check.rules.parity import same_features_as as features
from spatial_pipeline.contract.models import VectorContract
from spatial_pipeline.contract.rules.parity import SameFeaturesAs
from spatial_pipeline.contract.vocabulary import Status
from spatial_pipeline.pipeline.pipeline import Pipeline
from spatial_pipeline.store.versions import Store
from spatial_pipeline_tests.check.agreement import said
from spatial_pipeline_tests.support import memory_vector, run_rule

OTHER = {"uri": "old.gpkg"}


def rule(**parameters):
    if "others" not in parameters:
        parameters = {"other": OTHER, **parameters}
    return SameFeaturesAs(**parameters)


def judged(data, *others, key=("id",), **parameters):
    return run_rule(rule(**parameters), data, *others, key=key)


def listed(result):
    return [(v.keys, v.reason) for v in result.sample]


def layer(features, batch_size=4, **options):
    """A layer from {id: (geometry, name)} or [(id, geometry, name)]."""
    if isinstance(features, dict):
        features = [(i, *rest) for i, rest in features.items()]
    columns = {
        "id": np.array([f[0] for f in features], dtype=object).tolist() or [],
        "name": [f[2] for f in features],
    }
    return memory_vector([f[1] for f in features], columns, batch_size=batch_size, **options)


OLD = {i: (box(10 * i, 0, 10 * i + 4, 4), f"n{i}") for i in range(6)}


def test_the_same():
    result, violations = judged(layer(OLD), layer(dict(reversed(OLD.items()))))
    assert result.status is Status.PASSED
    assert (result.checked, result.message) == (6, "6 features the same")
    assert not len(violations)


def test_every_class():
    new = dict(OLD)
    del new[0]
    new[9] = (box(90, 0, 94, 4), "n9")
    new[1] = (box(10, 0, 14, 6), "n1")
    new[2] = (OLD[2][0], "N")
    new[3] = (box(30, 0, 33, 4), None)
    del new[4], new[5]
    new[41] = (box(40, 0, 41, 4), "a")
    new[42] = (box(41, 0, 44, 4), "b")
    old = {**OLD, 6: (box(54, 0, 60, 4), "n6")}
    new[56] = (box(50, 0, 60, 4), "c")
    result, violations = judged(layer(new), layer(old))
    assert result.status is Status.FAILED
    assert result.message == (
        "1 gone, 1 new, 1 split, 1 merged, 2 moved (largest 2 m), 2 edited (name)"
    )
    assert result.checked == 3 + 4 + 4
    assert result.violations == 7
    assert sorted(listed(result), key=str) == sorted(
        [
            (((0,),), "gone"),
            (((9,),), "new"),
            (((1,),), "moved"),
            (((2,),), "edited: name ('n2' → 'N')"),
            (((3,),), "moved; edited: name ('n3' → null)"),
            (((4,), (41,), (42,)), "split: 4 → 41, 42"),
            (((5,), (6,), (56,)), "merged: 5, 6 → 56"),
        ],
        key=str,
    )
    drawn = dict(zip(violations.reasons, violations.geometry, strict=True))
    measure = dict(zip(violations.reasons, violations.measure, strict=True))
    assert drawn["gone"].equals(OLD[0][0])
    assert drawn["new"].equals(new[9][0])
    assert drawn["moved"].equals(box(10, 4, 14, 6))
    assert measure["moved"] == 2
    assert violations.unit == "m"
    assert drawn["moved; edited: name ('n3' → null)"].equals(box(33, 0, 34, 4))
    assert drawn["edited: name ('n2' → 'N')"].within(OLD[2][0])
    assert drawn["split: 4 → 41, 42"].equals(OLD[4][0])
    assert drawn["merged: 5, 6 → 56"].equals(new[56][0])


def test_a_part_that_keeps_the_key():
    old = {1: (box(0, 0, 4, 4), "a"), 2: (box(10, 0, 12, 4), "b"), 3: (box(12, 0, 14, 4), "c")}
    new = {1: (box(0, 0, 1, 4), "a"), 4: (box(1, 0, 4, 4), "d"), 2: (box(10, 0, 14, 4), "b")}
    result, _ = judged(layer(new), layer(old))
    assert [v for v in listed(result) if "→" in v[1]] == [
        (((1,), (1,), (4,)), "split: 1 → 1, 4"),
        (((2,), (3,), (2,)), "merged: 2, 3 → 2"),
    ]
    assert result.message == "1 split, 1 merged, 2 moved (largest 3 m)"


def test_features_that_take_the_place_of_another_are_no_parts_of_it():
    old = {1: (box(0, 0, 4, 4), "a"), 2: (box(10, 0, 12, 4), "b"), 3: (box(20, 0, 22, 4), "c")}
    new = {2: (box(0, 0, 2, 4), "b"), 3: (box(2, 0, 4, 4), "c")}
    assert judged(layer(new), layer(old))[0].message == "1 gone, 2 moved (largest 18 m)"
    assert judged(layer(old), layer(new))[0].message == "1 new, 2 moved (largest 18 m)"


def test_a_part_of_one_is_not_made_of_others():
    old = {1: (box(0, 0, 4, 4), "a"), 2: (box(0, 0, 1, 4), "b"), 3: (box(1, 0, 2, 4), "c")}
    new = {4: (box(0, 0, 2, 4), "d"), 5: (box(2, 0, 4, 4), "e")}
    result, _ = judged(layer(new), layer(old))
    assert result.message == "2 gone, 1 split"
    assert (((1,), (4,), (5,)), "split: 1 → 4, 5") in listed(result)


def test_keys_that_identify_nothing():
    here = layer(
        [
            (1, Point(0, 0), "a"),
            (1, Point(1, 0), "b"),
            (None, Point(2, 0), "c"),
            (3, Point(3, 0), "d"),
        ]
    )
    there = layer(
        [
            (1, Point(0, 0), "a"),
            (3, Point(3, 0), "d"),
            (3, Point(3, 0), "d"),
            (None, Point(2, 0), "c"),
        ]
    )
    result, _ = judged(here, there)
    assert sorted(listed(result), key=str) == sorted(
        [
            (((1,),), "key occurs 2 times"),
            (((1,),), "key occurs 2 times"),
            (((None,),), "null in the key"),
            (((3,),), "key occurs 2 times in the other"),
            (((3,),), "key occurs 2 times in the other"),
            (((None,),), "null in the key in the other"),
        ],
        key=str,
    )
    assert result.message.startswith(
        "4 with a key that is not unique, 2 with a null in the key; 2 not compared"
    )


def test_several_others():
    changed = {**OLD, 0: (OLD[0][0], "X")}
    result, _ = judged(
        layer(OLD), layer(OLD), layer(changed), others=[{"dataset": "a"}, {"uri": "b.shp"}]
    )
    assert result.message == "a: 6 features the same; b.shp: 1 edited (name)"
    assert listed(result) == [
        (((0,),), "edited: name ('X' → 'n0') (compared with b.shp)"),
    ]
    assert result.checked == 12


@pytest.mark.parametrize(
    ("mode", "tolerance", "status"),
    [
        ("exact", 0, Status.FAILED),
        ("topological", 0, Status.PASSED),
        ("tolerance", 0, Status.PASSED),
        ("exact", 0.1, Status.PASSED),
        ("ignore", 0, Status.PASSED),
    ],
)
@pytest.mark.parametrize("key", [("id",), ()])
def test_ways_to_compare_geometries(mode, tolerance, status, key):
    here = layer({1: (box(0, 0, 4, 4), "a"), 2: (box(9, 0, 11, 1), "b")})
    there = layer({1: (box(0, 0, 4, 4).normalize(), "a"), 2: (box(9, 0, 11, 1), "b")})
    result, _ = judged(here, there, geometry=mode, tolerance=tolerance, key=key)
    if mode == "ignore" and not key:
        assert result.status is Status.ERROR
        assert result.message == "needs a key: without one, features are joined by their geometry"
    else:
        assert result.status is status, result.message


def test_a_tolerance_is_the_largest_distance_accepted():
    here = layer({1: (Point(0, 0), "a"), 2: (Point(5, 0), "b")})
    there = layer({1: (Point(0, 1), "a"), 2: (Point(5, 2), "b")})
    result, violations = judged(here, there, tolerance=1)
    assert listed(result) == [(((2,),), "moved")]
    assert violations.geometry[0].equals(shapely.LineString([(5, 2), (5, 0)]))
    assert judged(here, there, tolerance=2)[0].passed


def test_columns():
    here = memory_vector([Point(0, 0)], {"id": [1], "a": [1.0], "b": ["x"], "mine": [1]})
    there = memory_vector([Point(0, 0)], {"b": ["y"], "a": [1.4], "id": [1], "yours": [1]})
    result, _ = judged(here, there)
    assert listed(result) == [(((1,),), "edited: a (1.4 → 1.0), b ('y' → 'x')")]
    assert result.message == (
        "1 edited (a, b); only here, not compared: mine; only in the other, not compared: yours"
    )
    assert judged(here, there, columns=["a"], attribute_tolerance=0.5)[0].passed
    assert listed(judged(here, there, columns=["a"], attribute_tolerance=0.3)[0])
    result, _ = judged(here, there, columns=["mine"])
    assert (result.status, result.message) == (Status.ERROR, "needs column mine in memory")
    result, _ = judged(here, there, columns=["nope"])
    assert (result.status, result.message) == (Status.ERROR, "needs column nope")


def test_types_that_cannot_be_compared():
    here = memory_vector([Point(0, 0)], {"id": [1], "a": ["1"]})
    there = memory_vector([Point(0, 0)], {"id": [1.0], "a": [1]})
    result, _ = judged(here, there)
    assert listed(result) == [((), "column a is string here and int64 in the other")]
    result, _ = judged(here, there, key=("a",))
    assert result.status is Status.ERROR
    assert result.message == (
        "needs comparable keys: 'a' is string here and int64 in the other dataset"
    )


def test_the_key_of_the_rule_comes_first():
    here = memory_vector([Point(0, 0)], {"id": [1], "code": ["a"]})
    there = memory_vector([Point(0, 0)], {"id": [2], "code": ["a"]})
    result, _ = judged(here, there, key=("id",))
    assert sorted(v[1] for v in listed(result)) == ["gone", "new"]
    result, _ = run_rule(rule(key=["code"]), here, there, key=("id",))
    assert listed(result) == [(((1,),), "edited: id (2 → 1)")]
    result, _ = judged(here, memory_vector([Point(0, 0)], {"code": ["a"]}))
    assert (result.status, result.message) == (
        Status.ERROR,
        "needs column id of the key in memory",
    )


def test_a_condition_holds_on_either_side():
    here = layer({1: (Point(0, 0), "a"), 2: (Point(1, 0), "b"), 3: (Point(2, 0), "b")})
    there = layer({1: (Point(0, 0), "b"), 2: (Point(9, 0), "b"), 4: (Point(4, 0), "b")})
    result, _ = judged(here, there, where="name = 'a'")
    assert listed(result) == [(((1,),), "edited: name ('b' → 'a')")]
    assert result.checked == 1
    result, _ = judged(here, there, where="name = 'b' and id < 4")
    assert sorted(listed(result)) == [
        (((1,),), "edited: name ('b' → 'a')"),
        (((2,),), "moved"),
        (((3,),), "new"),
    ]
    assert judged(here, there, where="nope = 1")[0].status is Status.ERROR


def test_two_crs():
    here = layer({1: (Point(500000, 5000000), "a"), 2: (Point(510000, 5000000), "b")})
    turn = pyproj.Transformer.from_crs(32633, 4326, always_xy=True).transform
    moved = shapely.transform(
        np.array([Point(500000, 5000000), Point(510003, 5000004)]),
        lambda xy: np.stack(turn(*xy.T), axis=1),
    )
    there = layer({1: (moved[0], "a"), 2: (moved[1], "b")}, crs="EPSG:4326")
    result, violations = judged(here, there, tolerance=0.01)
    assert listed(result) == [(((2,),), "moved")]
    assert violations.measure[0] == pytest.approx(5, abs=1e-3)
    assert result.message.startswith(
        "1 moved (largest 5 m); transformed from WGS 84 to WGS 84 / UTM zone 33N"
    )
    assert "give a tolerance" in judged(here, there)[0].message
    assert judged(here, there, tolerance=0.01, key=())[0].violations == 2
    assert judged(here, there, tolerance=5.01, key=())[0].passed
    assert judged(here, there, geometry="ignore")[0].passed
    gone = layer({1: (moved[0], "a")}, crs="EPSG:4326")
    _, violations = judged(layer({}), gone, geometry="ignore")
    assert list(violations.geometry) == [None]
    back, _ = judged(there, here, tolerance=1e-6)
    assert "the tolerance is in degrees" in back.message
    elsewhere = layer({1: (Point(500000, 5000000), "a")}, crs="EPSG:32632")
    same_numbers = layer({1: (Point(500000, 5000000), "a")})
    assert judged(same_numbers, elsewhere, tolerance=1e5)[0].violations == 1
    lost = layer({1: (moved[0], "a")}, crs=None)
    assert judged(here, lost)[0].status is Status.ERROR
    assert judged(lost, lost)[0].passed


def test_geometries_that_do_not_decode():
    curve = shapely.to_wkb(Point(0, 0))[:5]
    good = {1: (curve, "a"), 2: (None, "b")}
    assert judged(layer(good), layer(good))[0].passed
    result, _ = judged(layer(good), layer({1: (Point(0, 0), "a"), 2: (None, "b")}))
    assert listed(result) == [(((1,),), "moved: does not decode, other bytes")]
    lost = layer(good, undecodable=(1,))
    result, _ = judged(lost, lost)
    assert result.message == ("2 features the same; 1 geometry that does not decode not judged")
    keyless, _ = judged(layer(good), layer({1: (curve + b"1", "a"), 2: (None, "b")}), key=())
    assert keyless.violations == 2


def test_tables_without_geometry():
    here = memory_vector([None, None], {"id": [1, 2]}, geometry_column=None)
    there = memory_vector([None], {"id": [1]}, geometry_column=None)
    assert listed(judged(here, there)[0]) == [(((2,),), "new")]
    assert judged(here, there, key=())[0].status is Status.ERROR
    result, _ = judged(here, memory_vector([None], {"id": [1]}))
    assert result.message == ("needs geometry: memory has no geometry column (geometry: ignore)")


def test_nothing_on_either_side():
    nothing = memory_vector([], {"id": np.array([], dtype=np.int64).tolist()})
    for key in (("id",), ()):
        assert judged(nothing, nothing, key=key)[0].passed
        result, _ = judged(nothing, layer({1: (Point(0, 0), "a")}), key=key)
        assert result.violations == 1
    assert run_rule(rule(), nothing)[0].message == "nothing to compare with"


def test_a_share_of_changes_may_be_accepted():
    changed = {**OLD, 0: (OLD[0][0], "X")}
    assert judged(layer(changed), layer(OLD), max_fraction=0.2)[0].passed
    assert not judged(layer(changed), layer(OLD), max_fraction=0.1)[0].passed


def test_by_geometry_attributes_find_the_partner():
    here = layer([(1, Point(0, 0), "a"), (2, Point(0, 0), "b"), (3, Point(1, 1), "c")])
    there = layer([(2, Point(0, 0), "b"), (1, Point(0, 0), "a"), (3, Point(1, 1), "d")])
    result, _ = judged(here, there, key=())
    assert listed(result) == [(((2,),), "edited: name ('d' → 'c')")]
    result, _ = judged(here, layer([(1, Point(0, 0), "a")]), key=())
    assert listed(result) == [(((1,),), "new"), (((2,),), "new")]
    result, _ = judged(layer([(1, Point(0, 0), "a")]), here, key=())
    assert listed(result) == [
        (((1,),), "gone: row 1 of the other"),
        (((2,),), "gone: row 2 of the other"),
    ]
    assert result.checked == 3


def test_splits_without_a_key_name_rows():
    here = layer([(1, box(0, 0, 1, 1), "a"), (2, box(1, 0, 2, 1), "b")])
    there = layer([(1, box(0, 0, 2, 1), "a")])
    assert listed(judged(here, there, key=())[0]) == [
        (((0,), (0,), (1,)), "split: row 0 → rows 0, 1")
    ]


def test_too_many_neighbours(monkeypatch):
    monkeypatch.setattr(geometry_join, "MAX_PAIRS", 10)
    here = layer([(i, Point(i, 0), "a") for i in range(10)])
    there = layer([(i, Point(i, 1), "a") for i in range(10)])
    result, _ = judged(here, there, key=(), tolerance=50)
    assert result.status is Status.ERROR
    assert "needs a key or a smaller tolerance" in result.message


def test_too_many_to_look_for_splits(monkeypatch):
    monkeypatch.setattr(unmatched, "MAX_RELATED", 1)
    here = layer([(1, box(0, 0, 1, 1), "a"), (2, box(1, 0, 2, 1), "b")])
    result, _ = judged(here, layer([(3, box(0, 0, 2, 1), "a")]))
    assert result.message == (
        "1 gone, 2 new; splits and merges not looked for among more than 1 features"
    )


@st.composite
def deliveries(draw):
    """An old and a new delivery, and what was done to it: {(class, old ids, new ids)}."""
    n = draw(st.integers(1, 9))
    old = {i: (box(20 * i, 0, 20 * i + 8, 8), f"n{i}") for i in range(n)}
    new, done = dict(old), set()
    free = draw(st.permutations(range(n)))
    fresh = 100
    while free:
        i, free = free[0], free[1:]
        what = draw(
            st.sampled_from(
                ["same", "delete", "move", "reshape", "edit", "both", "split", "merge", "null"]
            )
        )
        shape, name = old[i]
        x = 20 * i
        if what == "delete":
            del new[i]
            done.add(("gone", (i,), ()))
        elif what == "move":
            new[i] = (shapely.affinity.translate(shape, 1, 0), name)
            done.add(("moved", (i,), (i,)))
        elif what == "reshape":
            new[i] = (shape.normalize(), name)
            done.add(("moved: same place, other vertices", (i,), (i,)))
        elif what == "null":
            new[i] = (None, name)
            done.add(("moved: null here", (i,), (i,)))
        elif what == "edit":
            new[i] = (shape, None)
            done.add((f"edited: name ('{name}' → null)", (i,), (i,)))
        elif what == "both":
            new[i] = (shapely.affinity.translate(shape, 0, 2), "")
            done.add((f"moved; edited: name ('{name}' → '')", (i,), (i,)))
        elif what == "split":
            cuts = draw(st.sampled_from([(4,), (2, 5), (1, 4, 6)]))
            keeps = draw(st.booleans())
            del new[i]
            ids = []
            for k, (a, b) in enumerate(zip((0, *cuts), (*cuts, 8), strict=True)):
                ids.append(i if keeps and not k else fresh)
                new[ids[-1]] = (box(x + a, 0, x + b, 8), name)
                fresh += 1
            done.add(("split", (i,), tuple(sorted(ids))))
            if keeps:
                done.add(("moved", (i,), (i,)))
        elif what == "merge" and free:
            j, free = free[0], free[1:]
            del new[j]
            # The neighbour is brought next to it first.
            old[j] = (box(x + 8, 0, x + 16, 8), old[j][1])
            whole = box(x, 0, x + 16, 8)
            if draw(st.booleans()):
                new[i] = (whole, name)
                done |= {("moved", (i,), (i,)), ("merged", tuple(sorted((i, j))), (i,))}
            else:
                del new[i]
                new[fresh] = (whole, name)
                done.add(("merged", tuple(sorted((i, j))), (fresh,)))
                fresh += 1
    for _ in range(draw(st.integers(0, 2))):
        new[fresh] = (box(20 * fresh, 0, 20 * fresh + 1, 1), "fresh")
        done.add(("new", (), (fresh,)))
        fresh += 1
    orders = [draw(st.permutations(list(d.items()))) for d in (old, new)]
    return (*(dict(o) for o in orders), done)


def found(result):
    out = set()
    for keys, reason in listed(result):
        word = reason.split(":")[0]
        ids = [k[0] for k in keys]
        if word == "split":
            out.add((word, (ids[0],), tuple(sorted(ids[1:]))))
        elif word == "merged":
            out.add((word, tuple(sorted(ids[:-1])), (ids[-1],)))
        elif word == "gone":
            out.add((reason, tuple(ids), ()))
        elif word == "new":
            out.add((reason, (), tuple(ids)))
        else:
            out.add((reason, tuple(ids), tuple(ids)))
    return out


@settings(max_examples=40, deadline=None)
@given(deliveries())
def test_whatever_was_done_is_said(delivery):
    old, new, done = delivery
    answers = []
    for batch_size, chunk, jobs in ((100, 100, 1), (1, 1, 2), (3, 2, 2)):
        with pytest.MonkeyPatch.context() as patch:
            patch.setattr(features, "CHUNK", chunk)
            patch.setattr(paired_diff, "CHUNK", chunk)
            result, violations = run_rule(
                rule(), layer(new, batch_size), layer(old, batch_size), jobs=jobs, key=("id",)
            )
        answers.append((dataclasses.replace(result, elapsed_s=0.0), said(violations)))
    assert all(a == answers[0] for a in answers)
    result = answers[0][0]
    assert result.violations == len(done)
    assert found(result) == done
    # A ring that begins elsewhere is the same ring.
    topological, _ = judged(layer(new), layer(old), geometry="topological")
    assert found(topological) == {d for d in done if d[0] != "moved: same place, other vertices"}


places = st.tuples(st.integers(0, 3), st.integers(0, 3)).map(Point)
rows = st.lists(st.tuples(st.one_of(st.none(), places), st.sampled_from("ab")), max_size=10)


@settings(max_examples=60, deadline=None)
@given(rows, rows, st.sampled_from([None, 0.0, 1.0, 2.5]), st.integers(1, 4))
def test_by_geometry_against_every_pair(ours, theirs, tolerance, batch_size):
    """Greedy by distance and attributes: what the rule promises, done the slow way."""
    here, there = (layer([(0, g, name) for g, name in side], batch_size) for side in (ours, theirs))
    how = {} if tolerance is None else {"geometry": "tolerance", "tolerance": tolerance}
    result, _ = judged(here, there, key=(), columns=["name"], **how)
    candidates = []
    for i, (a, name) in enumerate(ours):
        for j, (b, other) in enumerate(theirs):
            if a is None and b is None and name == other:
                candidates.append((0.0, False, i, j))
            elif a is not None and b is not None and a.distance(b) <= (tolerance or 0.0):
                candidates.append((a.distance(b), name != other, i, j))
    mine, yours, edited = set(), set(), 0
    for _, unlike, i, j in sorted(candidates):
        if i not in mine and j not in yours:
            mine.add(i)
            yours.add(j)
            edited += unlike
    words = Counter(reason.split(":")[0] for _, reason in listed(result))
    expected = {
        "new": len(ours) - len(mine), "gone": len(theirs) - len(yours), "edited": edited,
    }  # fmt: skip
    assert words == {k: v for k, v in expected.items() if v}
    assert result.checked == len(ours) + len(theirs) - len(mine)


@settings(max_examples=12, deadline=None)
@given(rows, rows)
def test_a_larger_tolerance_never_finds_more(ours, theirs):
    for key in (("id",), ()):
        counts = [
            judged(
                layer([(i, *f) for i, f in enumerate(ours)]),
                layer([(i, *f) for i, f in enumerate(theirs)]),
                key=key, geometry="tolerance", tolerance=t, columns=["name"],
            )[0].violations
            for t in (0, 1, 1.5, 9)
        ]  # fmt: skip
        assert counts == sorted(counts, reverse=True)


def virginia(tmp_path: Path, **parameters):
    folder = "package://libpysal/examples/virginia"
    of = VectorContract.model_validate(
        {
            "name": "virginia",
            "source": {"uri": f"{folder}/virginia.shp"},
            "key": ["FIPS"],
            "rules": [
                {
                    "rule": "same_features_as",
                    "other": {"uri": f"{folder}/vautm17n.shp"},
                    **parameters,
                }
            ],
        }
    )
    pipeline = Pipeline({"virginia": of}, Store(tmp_path))
    return asyncio.run(pipeline.audit(of, pipeline.stage(of))).results[-1]


def test_the_counties_of_virginia_in_two_crs(tmp_path):
    result = virginia(tmp_path, tolerance=1e-6)
    assert result.passed
    assert result.checked == 136
    assert "transformed from WGS 84 / UTM zone 17N to WGS 84" in result.message
    # A ten-millionth of a degree is a centimetre; the deliveries differ by a few of them.
    result = virginia(tmp_path, tolerance=1e-9)
    assert (result.status, result.violations) == (Status.FAILED, 136)
    assert all(v.reason == "moved" and v.measure < 1e-6 for v in result.sample)
