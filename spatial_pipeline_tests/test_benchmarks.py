from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
import shapely

from spatial_pipeline.contract.rules import CATALOGUE
from spatial_pipeline.contract.vocabulary import Scope

FOLDER = Path(__file__).parent.parent / "benchmarks"


@pytest.fixture
def data(monkeypatch):
    monkeypatch.syspath_prepend(str(FOLDER))
    import topology_data

    return topology_data


def test_the_layers_are_valid_and_no_polygon_holds_another_one(data):
    for layer in (data.coverage(4000), data.buildings(4000)):
        polygons = layer(0, 4000)
        assert shapely.is_valid(polygons).all()
        ours, other = shapely.STRtree(polygons).query(polygons, predicate="contains")
        assert (ours == other).all()
        one, other = shapely.STRtree(polygons).query(polygons, predicate="overlaps")
        assert len(one)
        assert set(np.flatnonzero(np.arange(4000) % 1000 == 500)) & set(one.tolist())
    assert set(shapely.get_num_coordinates(data.buildings(100)(0, 100))) == {17}


def test_districts_hold_the_coverage(data):
    areas = data.districts(2500, 9, 100)(0, 9)
    assert shapely.is_valid(areas).all()
    assert (shapely.get_num_coordinates(areas) == 101).all()


def test_sides_agree_and_what_is_missing_is_named(tmp_path):
    """A run of everything at a size at which times say nothing."""
    script = (FOLDER / "topology.py").read_text()
    copy = tmp_path / "benchmarks"
    copy.mkdir()
    for name in ("feature_rules.py", "peers.py", "product.py", "topology_data.py", "turns.py"):
        (copy / name).write_text((FOLDER / name).read_text())
    (copy / "topology.py").write_text(script)
    command = [sys.executable, str(copy / "topology.py"), "--features", "3000", "--repeat", "1"]
    command += ["--peers", "shapely", "geopandas", "coverage_invalid_edges", "sedonadb"]
    done = subprocess.run(command, capture_output=True, text=True, check=True, timeout=250)
    rows = json.loads((copy / "topology.json").read_text())["rows"]
    sides = {(row["layer"], row["side"]): row for row in rows}
    assert len(sides) == 12
    for layer, pairs in (("coverage", 4), ("buildings", 2)):
        assert sides[layer, "spatial_pipeline: overlaps"]["pairs"] >= pairs
        for peer in ("shapely", "geopandas"):
            assert sides[layer, peer]["agrees"]
            assert sides[layer, peer]["times slower than overlaps"] > 0
        missing = sides[layer, "sedonadb"]
        assert missing.get("missing") == "sedonadb is not installed" or missing["agrees"]
        assert "pairs" not in sides[layer, "coverage_invalid_edges"]
    assert "3,000 polygons, 2 threads" in done.stdout
    assert "another answer" not in done.stdout


@pytest.mark.parametrize("layout", ["scattered", "in one place"])
def test_one_polygon_in_a_hundred_is_edited(data, layout):
    import incremental

    before, after = data.coverage(4000)(0, 4000), incremental.edited(4000, layout)
    whole = after(0, 4000)
    assert 20 <= (~shapely.equals_exact(before, whole)).sum() <= 40
    assert shapely.is_valid(whole).all()
    parts = np.concatenate([after(0, 1500), after(1500, 2500)])
    assert shapely.equals_exact(parts, whole).all()


def test_ingest_gives_what_the_peer_reads(tmp_path):
    copy = tmp_path / "benchmarks"
    copy.mkdir()
    for name in ("feature_rules.py", "ingest.py", "product.py"):
        (copy / name).write_text((FOLDER / name).read_text())
    command = [sys.executable, str(copy / "ingest.py"), "--features", "500", "--pixels", "256"]
    command += ["--repeat", "1", "--formats", "GeoJSON", "GPKG", "GTiff"]
    subprocess.run(command, capture_output=True, text=True, check=True, timeout=280)
    rows = json.loads((copy / "ingest.json").read_text())["rows"]
    counts = {row["format"]: row["count"] for row in rows}
    assert counts == {"GeoJSON": 500, "GPKG": 500, "GTiff": 256 * 256}
    assert all(set(row["seconds"]) == {"ours", "gdal"} for row in rows)


def test_every_rule_that_reads_data_is_timed(tmp_path):
    copy = tmp_path / "benchmarks"
    copy.mkdir()
    for name in ("catalogue", "feature_rules", "pixels", "product", "topology_data", "turns"):
        (copy / f"{name}.py").write_text((FOLDER / f"{name}.py").read_text())
    command = [sys.executable, str(copy / "catalogue.py"), "--features", "400", "--pixels", "128"]
    done = subprocess.run(
        [*command, "--repeat", "1"], capture_output=True, text=True, check=True, timeout=250
    )
    found = json.loads((copy / "catalogue.json").read_text())
    assert {r["status"] for r in found["rows"]} == {"passed", "failed"}, done.stdout
    assert all(r["ratio"] > 0 for r in found["rows"])
    timed = {r["rule"] for r in found["rows"]}
    assert timed | set(found["left_out"]) == set(CATALOGUE)
    # These need degrees, or a border.
    scopes = (Scope.FEATURE, Scope.NEIGHBOURHOOD)
    vector = {i for i in found["left_out"] if CATALOGUE[i].scope in scopes}
    assert vector <= {"antimeridian", "must_continue_across"}


@pytest.fixture
def bench(monkeypatch):
    monkeypatch.syspath_prepend(str(FOLDER))
    import bench

    return bench


def test_every_benchmark_is_a_script_that_knows_its_options(bench):
    for one in bench.ALL:
        script = FOLDER / f"{one.name}.py"
        known = script.read_text() + (FOLDER / "turns.py").read_text()
        called = bench.command(one, 0.5, Path("python"), None)
        assert called[1] == str(script)
        for option in [o for o in called if o.startswith("--")]:
            assert f'"{option}"' in known, (one.name, option)


def test_the_share_scales_features_and_pixels(bench):
    catalogue = next(b for b in bench.ALL if b.name == "catalogue")
    called = bench.command(catalogue, 0.25, Path("python"), None)
    sizes = dict(zip(called[2::2], called[3::2], strict=True))
    assert (sizes["--features"], sizes["--pixels"]) == ("25000", "2048")


def test_rows_say_what_is_missing_and_what_misses_its_target(bench):
    ours = {"side": "spatial_pipeline", "seconds": 2.0}
    others = [{"side": "a", "seconds": 3.0, "ratio": 1.5}, {"side": "b", "missing": "no b"}]
    found = {"size": 1000, "rows": [ours, *others]}
    one, other = bench.race("task", {"a": 2})(found)
    assert (one.value, one.goal, one.met) == (1.5, "at least 2", False)
    assert (other.value, other.theirs, other.met) == (None, "no b", None)
    text = bench.table([one, other]).splitlines()
    assert text[1].endswith("at least 2  missed")
    assert "no b" in text[2]


def test_what_fails_or_takes_too_long_is_said(bench, tmp_path, monkeypatch):
    monkeypatch.setattr(bench, "FOLDER", tmp_path)
    one = bench.Benchmark("one", (), lambda _: iter(()), scaled=(), written=None)
    for code, said in (("raise SystemExit(3)", "exit code 3"), ("while True: pass", "stopped")):
        with pytest.raises(RuntimeError, match=said):
            bench.result(one, [sys.executable, "-c", code], 1.0)
    shown = [sys.executable, "-c", "print('a table'); print('{\\n \"a\": {\"b\": 1}\\n}')"]
    assert bench.result(one, shown, 30.0) == {"a": {"b": 1}}


def test_reasons_are_about_rules_that_are_measured(monkeypatch):
    monkeypatch.syspath_prepend(str(FOLDER))
    import catalogue

    named = [rule for _, rules in catalogue.REASONS for rule in rules]
    assert len(named) == len(set(named))
    assert set(named) <= set(catalogue.CASES)
    assert catalogue.reason("relation")
    assert not catalogue.reason("must_not_overlap")
