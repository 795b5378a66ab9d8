from __future__ import annotations

import json
import os
import pty
import subprocess
import sys
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any
from xml.etree import ElementTree as ET

import geopandas
import numpy as np
import pytest
import rasterio
import yaml
from click.testing import Result
from typer.testing import CliRunner

from spatial_pipeline.cli import app

POLYGONS = {
    "a": [[0, 0], [4, 0], [4, 4], [0, 4], [0, 0]],
    "b": [[4, 0], [8, 0], [8, 4], [4, 4], [4, 0]],
    "c": [[8, 0], [9, 0], [9, 4], [8, 4], [8, 0]],
}
MAIN = "from spatial_pipeline.cli import main; main()"
UNIQUE = {"rule": "unique", "columns": ["id"]}


class Project:
    """A folder of contracts with their sources, and a store of its own."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.store = folder / "store"

    def dataset(self, name: str, ids: Sequence[str], rules: Sequence[Any], **more: Any) -> Path:
        """A dataset with one polygon an id; its contract's path."""
        self.source(name, ids)
        value = {
            "type": "spatial_pipeline.VectorDataset",
            "attributes": {
                "name": name,
                "source": {"uri": f"{name}.geojson"},
                "key": ["id"],
                **({"rules": list(rules)} if rules else {}),
                **more,
            },
        }
        path = self.folder / name / "defs.yaml"
        path.write_text(yaml.safe_dump(value, sort_keys=False))
        return path

    def source(self, name: str, ids: Sequence[str], file: str = "") -> None:
        features = [
            {
                "type": "Feature",
                "properties": {"id": i},
                "geometry": {"type": "Polygon", "coordinates": [ring]},
            }
            for i, ring in zip(ids, POLYGONS.values(), strict=False)
        ]
        (self.folder / name).mkdir(exist_ok=True)
        path = self.folder / name / (file or f"{name}.geojson")
        path.write_text(json.dumps({"type": "FeatureCollection", "features": features}))

    def run(self, *arguments: object) -> Result:
        runner = CliRunner()
        environment = {"SPATIAL_STORE": str(self.store), "DAGSTER_HOME": None}
        return runner.invoke(app, [str(a) for a in arguments], env=environment)

    def check(self, *arguments: object) -> tuple[int, dict[str, Any]]:
        """Exit code and object of ``check --json``."""
        result = self.run("check", *arguments, "--json")
        return result.exit_code, json.loads(result.stdout)


@pytest.fixture
def project(tmp_path: Path) -> Project:
    return Project(tmp_path)


def command(*arguments: object, **environment: str) -> subprocess.CompletedProcess[str]:
    """The installed command in a process of its own."""
    return subprocess.run(
        [sys.executable, "-c", MAIN, *map(str, arguments)],
        env={**os.environ, **environment},
        capture_output=True,
        text=True,
        timeout=120,
        check=False,
    )


def by_name(value: Mapping[str, Any]) -> dict[str, Any]:
    return {d["dataset"]: d for d in value["datasets"]}


def test_what_passes_exits_with_0_and_publishes_nothing(project: Project) -> None:
    path = project.dataset("parcels", "abc", [UNIQUE, {"rule": "feature_count", "min": 3}])
    code, value = project.check(path)
    assert code == 0
    (dataset,) = value["datasets"]
    assert dataset["passed"] is True
    assert dataset["partition"] is None
    assert [(r["name"], r["status"]) for r in dataset["results"]] == [
        ("readable", "passed"),
        ("staged_matches_source", "passed"),
        ("unique", "passed"),
        ("feature_count", "passed"),
    ]
    assert list(project.store.rglob("verdict.json"))
    assert not list(project.store.rglob("published.json"))


def test_what_fails_exits_with_1_and_says_where(project: Project) -> None:
    path = project.dataset("parcels", "aba", [UNIQUE])
    code, value = project.check(path)
    assert code == 1
    result = value["datasets"][0]["results"][2]
    assert set(result) == {
        "name", "rule", "family", "severity", "passed", "status", "checked", "violations",
        "value", "threshold", "message", "elapsed_s", "sample", "excepted",
    }  # fmt: skip
    assert result["status"] == "failed"
    assert result["passed"] is False
    assert result["violations"] > 0
    assert ["a"] in result["sample"][0]["keys"]


def test_a_warning_does_not_fail(project: Project) -> None:
    path = project.dataset("parcels", "aba", [{**UNIQUE, "severity": "warn"}])
    code, value = project.check(path)
    assert code == 0
    assert value["datasets"][0]["passed"] is True
    assert value["datasets"][0]["results"][2]["passed"] is False


def test_a_missing_source_is_a_result_and_stops_no_other_dataset(project: Project) -> None:
    lost = project.dataset("lost", "abc", [UNIQUE])
    (lost.parent / "lost.geojson").unlink()
    project.dataset("whole", "abc", [UNIQUE])
    code, value = project.check(project.folder)
    assert code == 1
    datasets = by_name(value)
    assert datasets["whole"]["passed"]
    assert not datasets["lost"]["passed"]
    (readable,) = (r for r in datasets["lost"]["results"] if r["name"] == "readable")
    assert not readable["passed"]
    assert "lost.geojson" in readable["message"]


def test_a_source_that_is_not_allowed_is_refused_and_others_go_on(project: Project) -> None:
    refused = project.dataset("refused", "abc", [UNIQUE], source={"uri": "/etc/hostname"})
    fine = project.dataset("fine", "abc", [UNIQUE])
    done = command(
        "check", refused, fine, "--json",
        SPATIAL_STORE=str(project.store),
        SPATIAL_ALLOWED_SOURCES=json.dumps([str(project.folder)]),
    )  # fmt: skip
    assert done.returncode == 1
    datasets = by_name(json.loads(done.stdout))
    assert datasets["fine"]["passed"]
    assert not datasets["refused"]["passed"]
    assert "/etc/hostname" in datasets["refused"]["results"][0]["message"]


def test_a_contract_with_mistakes_prints_all_and_exits_with_2(project: Project) -> None:
    path = project.folder / "bad.yaml"
    path.write_text("""\
type: spatial_pipeline.VectorDataset
attributes:
  name: 1 bad name
  descripton: x
  source: {url: a.geojson}
  schedule: "61 3 * * *"
  owners: [somebody]
  rules:
    - {rule: uniqe, columns: [id]}
    - {rule: not_null, colums: [id]}
    - {rule: must_not_overlap, tolerance: tiny, severity: eror}
    - {rule: band_count, equals: 3}
    - {rule: must_be_covered_by, other: {dataset: nowhere}}
""")
    done = command("check", path, SPATIAL_STORE=str(project.store))
    assert done.returncode == 2
    assert done.stdout == ""
    *messages, last = done.stderr.splitlines()
    lines = [int(m.removeprefix(f"{path}:").split(":")[0]) for m in messages]
    assert lines == [3, 4, 5, 6, 7, 9, 10, 11, 11, 12, 13]
    assert last == "11 mistakes; nothing was done"
    assert sum("did you mean" in m for m in messages) == 5
    assert "Traceback" not in done.stderr
    result = project.run("check", path, "--json")
    assert result.exit_code == 2
    assert json.loads(result.stdout) == {"datasets": [], "mistakes": messages}
    assert not project.store.exists()


def test_wrong_calls_exit_with_2_before_anything_is_done(project: Project) -> None:
    path = project.dataset("parcels", "abc", [UNIQUE])
    for arguments, words in (
        ([], "Missing argument"),
        (["none.yaml"], "no such file"),
        ([path, "--rule", "uniqe"], "did you mean 'unique'?"),
        ([path, "--partition", "north"], "has no partitions"),
        ([path, "--violations", "v.shp"], ".gpkg"),
        ([path, "--html", project.folder / "none" / "r.html"], "/none does not exist"),
        ([path, "--jobs", "0"], "--jobs"),
        ([path, "--nonsense"], "--nonsense"),
    ):
        result = project.run("check", *arguments)
        assert result.exit_code == 2, arguments
        assert words in result.stderr
        assert result.stdout == ""
    assert not project.store.exists()


def test_only_the_rules_that_are_named_are_checked(project: Project) -> None:
    project.dataset("parcels", "aba", [UNIQUE, {"rule": "feature_count", "min": 1}])
    project.dataset("roads", "abc", [{"rule": "feature_count", "min": 1, "name": "some"}])
    code, value = project.check(project.folder, "--rule", "feature_count", "--rule", "some")
    assert code == 0
    names = {d: [r["name"] for r in v["results"]] for d, v in by_name(value).items()}
    assert names == {"parcels": ["feature_count"], "roads": ["some"]}
    code, value = project.check(project.folder, "--rule", "some")
    assert list(by_name(value)) == ["roads"]


def test_every_static_partition_is_checked_or_the_one_that_is_named(project: Project) -> None:
    path = project.dataset(
        "parcels", "abc", [UNIQUE],
        source={"uri": "{partition}.geojson"}, partitions={"static": ["north", "south"]},
    )  # fmt: skip
    project.dataset("whole", "abc", [UNIQUE])
    project.source("parcels", "abc", "north.geojson")
    project.source("parcels", "aba", "south.geojson")
    code, value = project.check(path)
    assert code == 1
    assert [(d["partition"], d["passed"]) for d in value["datasets"]] == [
        ("north", True),
        ("south", False),
    ]
    code, value = project.check(project.folder, "--partition", "north")
    assert code == 0
    assert [(d["dataset"], d["partition"]) for d in value["datasets"]] == [
        ("parcels", "north"),
        ("whole", None),
    ]
    result = project.run("check", path, "--partition", "nort")
    assert result.exit_code == 2
    assert "did you mean 'north'?" in result.stderr


def test_partitions_that_are_not_fixed_must_be_named(project: Project) -> None:
    path = project.dataset(
        "tiles", "abc", [UNIQUE],
        source={"uri": "{partition}.geojson"}, partitions={"dynamic": "tiles"},
    )  # fmt: skip
    project.source("tiles", "abc", "t1.geojson")
    result = project.run("check", path)
    assert result.exit_code == 2
    assert "--partition" in result.stderr
    assert project.check(path, "--partition", "t1")[0] == 0


def test_a_dataset_may_refer_to_one_that_was_never_published(project: Project) -> None:
    project.dataset("park", "abc", [])
    rule = {"rule": "nodata_fraction", "max": 0.5, "within": {"dataset": "park"}}
    path = project.dataset("dem", "", [rule])
    value = yaml.safe_load(path.read_text())
    del value["attributes"]["key"]
    value["type"] = "spatial_pipeline.RasterDataset"
    value["attributes"]["source"]["uri"] = "dem.tif"
    path.write_text(yaml.safe_dump(value))
    grid = {"width": 10, "height": 5, "transform": rasterio.Affine(1, 0, 0, 0, -1, 5)}
    with rasterio.open(
        path.parent / "dem.tif",
        "w",
        driver="GTiff",
        count=1,
        dtype="uint8",
        crs="EPSG:4326",
        **grid,
    ) as raster:
        raster.write(np.ones((1, 5, 10), dtype=np.uint8))
    code, found = project.check(path)
    assert code == 0
    assert [d["dataset"] for d in found["datasets"]] == ["dem"]
    message = found["datasets"][0]["results"][2]["message"]
    assert "what is staged of park, which has no published version" in message


def test_violations_and_page_are_written(project: Project) -> None:
    project.dataset("parcels", "aba", [UNIQUE])
    project.dataset("roads", "aba", [{**UNIQUE, "name": "ids"}])
    layer, page = project.folder / "v.gpkg", project.folder / "r.html"
    result = project.run("check", project.folder, "--violations", layer, "--html", page)
    assert result.exit_code == 1
    assert str(layer) in result.stderr
    frame = geopandas.read_file(layer, layer="violations")
    assert set(frame["dataset"]) == {"parcels", "roads"}
    assert set(frame["name"]) == {"unique", "ids"}
    assert set(frame["rule"]) == {"unique"}
    text = page.read_text()
    assert "parcels" in text
    assert "<svg" in text
    parquet = project.folder / "v.parquet"
    assert project.run("check", project.folder, "--violations", parquet).exit_code == 1
    assert len(geopandas.read_parquet(parquet)) == len(frame)


def test_a_layer_without_violations_is_empty(project: Project) -> None:
    path = project.dataset("parcels", "abc", [UNIQUE])
    layer = project.folder / "v.gpkg"
    assert project.run("check", path, "--violations", layer).exit_code == 0
    assert len(geopandas.read_file(layer, layer="violations")) == 0


def test_junit_is_xml_whatever_the_data_say(project: Project) -> None:
    hostile = 'a<&"]]>\u0007\ufffe\U0001f30d'
    project.dataset(
        "held", [hostile, hostile, "c"], [UNIQUE, {"rule": "not_null", "columns": ["x"]}]
    )
    project.dataset("warned", ["a", "a"], [{**UNIQUE, "severity": "warn", "name": "tell_us"}])
    file = project.folder / "results.xml"
    result = project.run("check", project.folder, "--junit", file)
    assert result.exit_code == 1, result.output
    assert f"junit: {file}" in result.stderr
    root = ET.fromstring(file.read_bytes())
    assert (root.tag, root.attrib["name"]) == ("testsuites", "spatial-pipeline")
    suites = {s.attrib["name"]: s for s in root}
    found = {
        name: {c.attrib["name"]: [child.tag for child in c] for c in suite}
        for name, suite in suites.items()
    }
    assert found == {
        "held": {
            "readable": [],
            "staged_matches_source": [],
            "unique": ["failure"],
            "not_null": ["error"],
        },
        "warned": {"readable": [], "staged_matches_source": [], "tell_us": ["system-out"]},
    }
    held = suites["held"].attrib
    assert (held["tests"], held["failures"], held["errors"], held["skipped"]) == (
        "4",
        "1",
        "1",
        "0",
    )
    totals = (root.attrib["tests"], root.attrib["failures"], root.attrib["errors"])
    assert totals == ("7", "1", "1")
    text = suites["held"].find("testcase[@name='unique']/failure").text  # type: ignore[union-attr]
    assert 'a<&"]]>\ufffd\ufffd\U0001f30d' in str(text)
    assert "\x07" not in file.read_text(encoding="utf-8")


def test_junit_that_cannot_be_written_is_a_wrong_call(project: Project) -> None:
    project.dataset("fine", ["a"], [UNIQUE])
    missing = project.run("check", project.folder, "--junit", project.folder / "no" / "r.xml")
    folder = project.run("check", project.folder, "--junit", project.folder)
    assert (missing.exit_code, folder.exit_code) == (2, 2)
    assert "does not exist" in missing.stderr
    assert "cannot write" in folder.stderr


def test_tables_for_people_name_dataset_rule_and_message(project: Project) -> None:
    path = project.dataset("parcels", "aba", [UNIQUE])
    result = project.run("check", path)
    assert result.exit_code == 1
    assert "parcels: held" in result.stdout
    assert "unique" in result.stdout
    assert result.stderr == ""


def test_stdout_holds_json_and_nothing_else_in_a_process_of_its_own(project: Project) -> None:
    path = project.dataset("parcels", "aba", [UNIQUE])
    done = command("check", path, "--json", "--jobs", "2", SPATIAL_STORE=str(project.store))
    assert done.returncode == 1
    assert json.loads(done.stdout)["datasets"][0]["dataset"] == "parcels"
    again = command("check", path, "--json", SPATIAL_STORE=str(project.store))
    first, second = (json.loads(d.stdout)["datasets"][0] for d in (done, again))
    assert first["version"] == second["version"]
    for value in (first, second):
        for result in value["results"]:
            del result["elapsed_s"]
    assert first == second


def test_progress_is_drawn_on_a_terminal_only(project: Project) -> None:
    path = project.dataset("parcels", "abc", [UNIQUE])
    terminal, other_end = pty.openpty()
    done = subprocess.run(
        [sys.executable, "-c", MAIN, "check", str(path), "--json"],
        env={**os.environ, "SPATIAL_STORE": str(project.store), "TERM": "xterm"},
        stdout=subprocess.PIPE,
        stderr=other_end,
        timeout=120,
        check=False,
    )
    os.close(other_end)
    drawn = b""
    while True:
        try:
            chunk = os.read(terminal, 65536)
        except OSError:
            break
        if not chunk:
            break
        drawn += chunk
    os.close(terminal)
    assert done.returncode == 0
    assert json.loads(done.stdout)
    assert b"check parcels" in drawn


def test_check_rules_and_schema_do_not_import_dagster(project: Project) -> None:
    path = project.dataset("parcels", "abc", [UNIQUE])
    code = (
        "import sys\nfrom typer.testing import CliRunner\nfrom spatial_pipeline.cli import app\n"
        f"for a in (['rules'], ['rules', 'crs'], ['schema'], ['check', {str(path)!r}]):\n"
        "    r = CliRunner().invoke(app, a)\n"
        "    assert r.exit_code == 0, (a, r.output, r.exception)\n"
        "assert not [m for m in sys.modules if m.split('.')[0] == 'dagster']\n"
    )
    environment = {**os.environ, "SPATIAL_STORE": str(project.store)}
    done = subprocess.run(
        [sys.executable, "-c", code], env=environment, capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stderr


def test_rules_lists_the_catalogue_or_explains_one(project: Project) -> None:
    assert "must_not_overlap" in project.run("rules").stdout
    one = project.run("rules", "must_not_overlap")
    assert "neighbourhood" in one.stdout
    assert "topological consistency" in one.stdout
    value = json.loads(project.run("rules", "must_not_overlap", "--json").stdout)
    assert value["rule"] == "must_not_overlap"
    everything = json.loads(project.run("rules", "--json").stdout)["rules"]
    assert len(everything) >= 30
    wrong = project.run("rules", "must_not_overlp")
    assert wrong.exit_code == 2
    assert "did you mean 'must_not_overlap'?" in wrong.stderr


def test_schema_is_json(project: Project) -> None:
    value = json.loads(project.run("schema").stdout)
    assert value["required"] == ["type", "attributes"]


def test_run_publishes_what_passes_and_holds_what_does_not(project: Project) -> None:
    project.dataset("good", "abc", [UNIQUE])
    project.dataset("bad", "aba", [UNIQUE])
    result = project.run("run", "--contracts", project.folder, "--json")
    assert result.exit_code == 1
    rows = by_name(json.loads(result.stdout))
    assert rows["good"]["published"] is True
    assert rows["good"]["readers_see"] == rows["good"]["version"]
    assert rows["bad"]["published"] is False
    assert rows["bad"]["readers_see"] is None
    assert any("unique" in reason for reason in rows["bad"]["reasons"])
    assert result.stderr.splitlines() == ["bad: held", "good: published"]
    only = project.run("run", "good", "--contracts", project.folder)
    assert only.exit_code == 0
    assert "published" in only.stdout
    assert "bad" not in only.stdout
    unknown = project.run("run", "goood", "--contracts", project.folder)
    assert unknown.exit_code == 2
    assert "did you mean 'good'?" in unknown.stderr


def test_rollback_publishes_the_former_version_again(project: Project) -> None:
    project.dataset("parcels", "abc", [UNIQUE])
    where = ("--contracts", project.folder)
    nothing = project.run("rollback", "parcels", *where)
    assert nothing.exit_code == 1
    assert "parcels" in nothing.stderr
    assert project.run("run", *where).exit_code == 0
    project.source("parcels", "ab")
    rows = json.loads(project.run("run", "--json", *where).stdout)["datasets"]
    back = project.run("rollback", "parcels", *where)
    assert back.exit_code == 0
    (pointer,) = project.store.glob("parcels/-/published.json")
    published = json.loads(pointer.read_text())
    assert published["version"] != rows[0]["version"]
    assert published["version"] in back.stdout
    assert project.run("rollback", "parcels", "--to", "none", *where).exit_code == 1
    assert project.run("rollback", "parcel", *where).exit_code == 2
    assert project.run("rollback", "parcels", "--partition", "x", *where).exit_code == 2
