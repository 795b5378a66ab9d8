"""The files that a check writes, on a project with one bad and one good dataset."""

from __future__ import annotations

import json
import sqlite3
from contextlib import closing
from pathlib import Path
from typing import Any
from xml.etree import ElementTree as ET

import geopandas
import pyogrio
import pytest
import shapely
from typer.testing import CliRunner

from spatial_pipeline.cli import app
from spatial_pipeline.contract.rules import CATALOGUE

CONTRACT = """\
type: spatial_pipeline.VectorDataset
attributes:
  name: {name}
  source: {{uri: {name}.{ending}}}
  key: [id]
  rules:
    - {{rule: unique, columns: [id]}}
    - {{rule: must_not_overlap, name: apart}}
    - {{rule: not_null, columns: [name], severity: warn}}
    - {{rule: feature_count, min: {least}}}
"""
SQUARES = [shapely.box(x, 0, x + 10, 10) for x in (0, 9, 100, 108, 200)]


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    bad = geopandas.GeoDataFrame(
        {"id": [1, 2, 3, 3, 5], "name": ["a", "b", "c", "d", None], "geometry_1": range(5)},
        geometry=SQUARES,
        crs="EPSG:32633",
    )
    bad.to_file(tmp_path / "bad.gpkg")
    good = geopandas.GeoDataFrame({"id": [1], "name": ["a"]}, geometry=SQUARES[:1], crs=3857)
    good.to_file(tmp_path / "good.gpkg")
    for name, least in (("bad", 6), ("good", 1)):
        text = CONTRACT.format(name=name, least=least, ending="gpkg")
        (tmp_path / f"{name}.yaml").write_text(text)
    monkeypatch.chdir(tmp_path)
    return tmp_path


def check(folder: Path, *arguments: str) -> Any:
    environment = {"SPATIAL_STORE": str(folder / "store")}
    return CliRunner().invoke(app, ["check", *arguments], env=environment)


def log(folder: Path, *contracts: str) -> dict[str, Any]:
    done = check(folder, *contracts, "--sarif", "out.sarif")
    assert "sarif: out.sarif" in done.stderr
    value: dict[str, Any] = json.loads((folder / "out.sarif").read_text())
    return value


def sound(value: dict[str, Any]) -> None:
    """What the SARIF 2.1.0 specification demands of the objects that are used."""
    assert set(value) == {"$schema", "version", "runs"}
    assert value["version"] == "2.1.0"
    (run,) = value["runs"]
    assert set(run) - {"invocations"} == {"tool", "columnKind", "results"}
    driver = run["tool"]["driver"]
    assert driver["name"]
    assert set(driver) <= {"name", "version", "rules"}
    rules = driver["rules"]
    assert len({r["id"] for r in rules}) == len(rules)
    for rule in rules:
        assert set(rule) == {"id", "shortDescription", "fullDescription", "help", "properties"}
        # GitHub's code scanning requires the three texts and cuts the first two.
        assert max(len(rule[k]["text"]) for k in ("shortDescription", "fullDescription")) <= 1024
        assert rule["id"] in rule["help"]["text"]
        assert rule["shortDescription"]["text"].endswith(".")
        assert rule["fullDescription"]["text"]
    for result in run["results"]:
        assert set(result) == {
            "ruleId", "ruleIndex", "level", "kind", "message", "locations",
            "partialFingerprints", "properties",
        }  # fmt: skip
        assert rules[result["ruleIndex"]]["id"] == result["ruleId"]
        assert result["level"] in {"none", "note", "warning", "error"}
        assert result["kind"] == "fail"
        assert result["message"]["text"]
        (location,) = result["locations"]
        physical = location["physicalLocation"]
        assert not physical["artifactLocation"]["uri"].startswith("/")
        assert physical["region"]["startLine"] >= 1
        prints = result["partialFingerprints"]
        assert set(prints) == {"violation/v1", "primaryLocationLineHash"}
        assert prints["primaryLocationLineHash"].startswith(prints["violation/v1"])
    named = [r["partialFingerprints"]["primaryLocationLineHash"] for r in run["results"]]
    assert len(set(named)) == len(named)


def test_sarif_has_a_result_for_every_violation_at_the_line_of_its_rule(folder: Path) -> None:
    value = log(folder, "bad.yaml", "good.yaml")
    sound(value)
    results = value["runs"][0]["results"]
    found = [
        (
            r["ruleId"],
            r["level"],
            r["locations"][0]["physicalLocation"]["artifactLocation"]["uri"],
            r["locations"][0]["physicalLocation"]["region"]["startLine"],
            r["locations"][0]["logicalLocations"][0]["fullyQualifiedName"],
        )
        for r in results
    ]
    assert found == [
        ("unique", "error", "bad.yaml", 7, "bad/3"),
        ("unique", "error", "bad.yaml", 7, "bad/3"),
        ("must_not_overlap", "error", "bad.yaml", 8, "bad/1 and 2"),
        ("must_not_overlap", "error", "bad.yaml", 8, "bad/3 and 3"),
        ("not_null", "warning", "bad.yaml", 9, "bad/5"),
        ("feature_count", "error", "bad.yaml", 10, "bad"),
    ]
    overlap = next(r for r in results if r["ruleId"] == "must_not_overlap")
    assert overlap["message"]["text"] == "bad: apart: overlap, 10 m² [1 and 2]"
    properties = overlap["properties"]
    assert properties["keys"] == [[1], [2]]
    assert (properties["location"], properties["measure"]) == ([9.5, 5.0], 10.0)
    assert (properties["dataset"], properties["check"]) == ("bad", "apart")
    assert "32633" in properties["crs"]


def test_sarif_of_what_passes_names_the_rules_and_has_no_results(folder: Path) -> None:
    value = log(folder, "good.yaml")
    sound(value)
    run = value["runs"][0]
    assert run["results"] == []
    assert {r["id"] for r in run["tool"]["driver"]["rules"]} <= set(CATALOGUE)


def test_sarif_of_what_cannot_be_read(folder: Path) -> None:
    (folder / "bad.gpkg").unlink()
    value = log(folder, "bad.yaml")
    sound(value)
    first = value["runs"][0]["results"][0]
    assert first["ruleId"] == "readable"
    assert first["level"] == "error"


def test_fingerprints_stay_and_tell_violations_apart(folder: Path) -> None:
    def prints() -> list[str]:
        results = log(folder, "bad.yaml")["runs"][0]["results"]
        return [r["partialFingerprints"]["violation/v1"] for r in results]

    first = prints()
    assert prints() == first
    # The two rows of a duplicate key have the same key, the same place of none, the same reason.
    assert len(set(first)) >= len(first) - 1


def test_quarantine_holds_what_a_blocking_rule_named_and_why(folder: Path) -> None:
    done = check(folder, "bad.yaml", "good.yaml", "--quarantine", "apart.gpkg")
    assert "quarantine: apart.gpkg" in done.stderr
    assert pyogrio.list_layers("apart.gpkg")[:, 0].tolist() == ["bad"]
    frame = geopandas.read_file("apart.gpkg")
    assert frame.crs.to_epsg() == 32633
    # The fifth feature has but a warning.
    assert frame["id"].tolist() == [1, 2, 3, 3]
    assert frame["name"].tolist() == ["a", "b", "c", "d"]
    assert frame["geometry_1"].tolist() == [0, 1, 2, 3]
    assert frame["quarantine_row"].tolist() == [0, 1, 2, 3]
    assert [shapely.equals_exact(a, b) for a, b in zip(frame.geometry, SQUARES, strict=False)]
    reasons = [json.loads(t) if isinstance(t, str) else t for t in frame["quarantine_reasons"]]
    assert [[r.split(":")[0] for r in row] for row in reasons] == [
        ["apart"], ["apart"], ["unique", "apart"], ["unique", "apart"],
    ]  # fmt: skip


def test_quarantine_as_geoparquet_has_a_file_a_dataset(folder: Path) -> None:
    text = CONTRACT.format(name="worse", least=1, ending="gpkg")
    (folder / "worse.yaml").write_text(text)
    (folder / "worse.gpkg").write_bytes((folder / "bad.gpkg").read_bytes())
    check(folder, "bad.yaml", "worse.yaml", "--quarantine", "apart.parquet")
    for name in ("apart.parquet", "apart_2.parquet"):
        frame = geopandas.read_parquet(name)
        assert len(frame) == 4
        assert frame.crs.to_epsg() == 32633


def test_quarantine_of_what_passes_is_empty(folder: Path) -> None:
    assert check(folder, "good.yaml", "--quarantine", "apart.gpkg").exit_code == 0
    assert len(geopandas.read_file("apart.gpkg")) == 0


@pytest.mark.parametrize(
    ("option", "path", "said"),
    [
        ("--quarantine", "apart.txt", "unknown format; the file name must end in .gpkg"),
        ("--sarif", "nowhere/out.sarif", "the folder nowhere does not exist"),
    ],
)
def test_refused_before_anything_is_done(folder: Path, option: str, path: str, said: str) -> None:
    done = check(folder, "bad.yaml", option, path)
    assert done.exit_code == 2
    assert said in done.stderr
    assert not (folder / "store").exists()


def test_features_have_the_numbers_of_their_source(folder: Path) -> None:
    """A GeoPackage from which rows were deleted: fid 2 is gone, and the rest keep theirs."""
    with closing(sqlite3.connect(folder / "bad.gpkg")) as connection, connection:
        for (trigger,) in connection.execute(
            "SELECT name FROM sqlite_master WHERE type = 'trigger'"
        ).fetchall():
            connection.execute(f'DROP TRIGGER "{trigger}"')
        connection.execute("DELETE FROM bad WHERE fid = 2")
        connection.execute("DELETE FROM rtree_bad_geom WHERE id = 2")
        connection.execute("UPDATE gpkg_ogr_contents SET feature_count = 4")
    check(folder, "bad.yaml", "--violations", "v.gpkg", "--quarantine", "q.gpkg")
    frame = geopandas.read_file(folder / "v.gpkg", layer="violations")
    overlap = frame[frame["name"] == "apart"].iloc[0]
    assert (overlap["feature_id"], overlap["other_feature_id"]) == (3, 4)
    assert sorted(frame[frame["name"] == "unique"]["feature_id"]) == [3, 4]
    kept = geopandas.read_file(folder / "q.gpkg")
    assert kept["quarantine_id"].tolist() == [3, 4]
    assert kept["quarantine_row"].tolist() == [1, 2]


def test_iso_19157_has_a_file_for_each_dataset(folder: Path) -> None:
    done = check(folder, "bad.yaml", "good.yaml", "--iso19157", "quality.xml")
    assert done.exit_code == 1
    files = sorted(p.name for p in folder.glob("quality*"))
    assert files == ["quality-bad.xml", "quality-good.xml"]
    assert all(f"iso19157: {name}" in done.stderr for name in files)
    roots = [ET.parse(folder / name).getroot() for name in files]
    verdicts = [{e.text for e in r.iter() if e.tag.endswith("}Boolean")} for r in roots]
    assert verdicts == [{"true", "false"}, {"true"}]
