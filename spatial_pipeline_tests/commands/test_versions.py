"""``history``, ``show`` and ``diff``: what the store knows of the versions of a dataset."""

from __future__ import annotations

import hashlib
import json
from pathlib import Path
from xml.etree import ElementTree as ET

import geopandas
import pytest

from spatial_pipeline_tests.commands.projects import Project, points

KEY = {"key": ["id"], "rules": [{"rule": "unique", "columns": ["id"]}]}


@pytest.fixture(scope="module")
def project(tmp_path_factory: pytest.TempPathFactory) -> Project:
    """Three deliveries of ``roads``: two are published, the last is held."""
    project = Project(tmp_path_factory.mktemp("versions"))
    project.dataset("roads", range(3), **KEY)
    path = project.folder / "roads.geojson"
    for text in (points(range(3)), points([0, 1, 3, 4]), points([0, 1, 1])):
        path.write_text(text)
        assert project.call("run", "roads", "--contracts", project.folder).exit_code in {0, 1}
    return project


def versions(project: Project) -> list[str]:
    done = project.call("history", "roads", "--json")
    return [v["version"] for v in json.loads(done.stdout)["versions"]]


def test_history_lists_versions_with_their_states(project: Project) -> None:
    done = project.call("history", "roads", "--json")
    assert done.exit_code == 0
    listed = json.loads(done.stdout)["versions"]
    assert [v["state"] for v in listed] == ["held", "published", "published before"]
    assert [len(v["failed"]) for v in listed] == [1, 0, 0]
    assert listed[0]["failed"][0] == {"name": "unique", "status": "failed", "violations": 2}
    table = project.call("history", "roads", COLUMNS="80")
    assert max(map(len, table.stdout.splitlines())) <= 80
    assert "unique (2)" in table.stdout


def test_show_has_source_content_and_results(project: Project) -> None:
    held = versions(project)[0]
    done = project.call("show", "roads", held[:6])
    assert done.exit_code == 0
    for words in ("roads.geojson", "3 features, Point", "columns: id", "held", "unique"):
        assert words in done.stdout
    value = json.loads(project.call("show", "roads", "published", "--json").stdout)
    assert (value["state"], value["version"]) == ("published", versions(project)[1])
    assert {r["status"] for r in value["results"]} == {"passed"}


def test_show_prints_a_stac_item(project: Project) -> None:
    item = json.loads(project.call("show", "roads", "published", "--stac").stdout)
    data = item["assets"]["data"]
    content = Path(data["href"].removeprefix("file://")).read_bytes()
    assert data["file:checksum"] == f"1220{hashlib.sha256(content).hexdigest()}"
    assert data["file:size"] == len(content)
    assert item["properties"]["spatial_pipeline:version"] == versions(project)[1]
    elsewhere = {"SPATIAL_STORE_URL": "https://data.example.org/store/"}
    item = json.loads(project.call("show", "roads", "--stac", **elsewhere).stdout)
    held = f"https://data.example.org/store/roads/-/{versions(project)[0]}/data.parquet"
    assert item["assets"]["data"]["href"] == held


def test_show_writes_iso_19157(project: Project, tmp_path: Path) -> None:
    file = tmp_path / "quality.xml"
    done = project.call("show", "roads", "--iso19157", file)
    assert done.exit_code == 0
    root = ET.parse(file).getroot()
    passes = [e.text for e in root.iter() if e.tag.endswith("}Boolean")]
    assert sorted(map(str, passes)) == ["false", "true", "true"]
    missing = project.call("show", "roads", "--iso19157", tmp_path / "none" / "quality.xml")
    assert (missing.exit_code, "No such file" in missing.stderr) == (2, True)


def test_diff_names_new_gone_and_changed_rules(project: Project, tmp_path: Path) -> None:
    layer = tmp_path / "changes.gpkg"
    call = ("diff", "roads", "previous", "published", "--contracts", project.folder)
    done = project.call(*call, "--layer", layer)
    assert done.exit_code == 1
    assert "1 gone, 2 new" in done.stdout
    written = geopandas.read_file(layer, layer="violations")
    assert sorted(r.split()[0].rstrip(":,") for r in written["reason"]) == ["gone", "new", "new"]
    value = json.loads(project.call("diff", "roads", "--json", "--key", "id").stdout)
    (change,) = value["rules"]
    assert (change["name"], change["after"]) == ("unique", {"status": "failed", "violations": 2})
    assert value["data"]["compared"]


def test_equal_versions_exit_with_0(project: Project) -> None:
    done = project.call("diff", "roads", "latest", "latest")
    assert (done.exit_code, "are equal" in done.stdout) == (0, True)


@pytest.mark.parametrize(
    ("call", "words"),
    [
        (("history", "rods"), "did you mean 'roads'?"),
        (("history", "roads", "--partition", "north"), "it has no partitions"),
        (("show", "roads", "publishd"), "did you mean 'published'?"),
        (("show", "roads", "ffffff"), "`spatial-pipeline history roads` lists all"),
        (("diff", "roads", "a", "b"), "has no version 'a'"),
        (("diff", "roads", "--layer", "a.shp"), "a.shp"),
    ],
)
def test_mistakes_name_the_way_out(project: Project, call: tuple[str, ...], words: str) -> None:
    done = project.call(*call)
    assert done.exit_code == 2, done.stdout
    assert words in done.stderr
