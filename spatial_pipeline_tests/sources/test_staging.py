"""From a URL to a staged version, and what is not transferred again."""

from __future__ import annotations

import io
import json
import zipfile
from email.utils import formatdate
from pathlib import Path
from typing import Any

import pytest

from spatial_pipeline.contract.models import RasterContract, VectorContract
from spatial_pipeline.contract.source import Source
from spatial_pipeline.errors import SourceLostError
from spatial_pipeline.model.delivery import Delivery
from spatial_pipeline.pipeline.pipeline import Pipeline
from spatial_pipeline.settings import Settings
from spatial_pipeline.store.versions import Store
from spatial_pipeline_tests.ingest.sources import points, ramp, table_of, write_layer, write_raster
from spatial_pipeline_tests.sources.web import LONG_AGO, Resource, Web


def pipeline(folder: Path, **how: Any) -> Pipeline:
    return Pipeline({}, Store(folder / "store"), **how)


def vector(uri: str, **how: Any) -> VectorContract:
    return VectorContract(name="d", source=Source(uri=uri), **how)


def layer(folder: Path, count: int = 5, name: str = "a.gpkg") -> bytes:
    file = write_layer(folder / name, table_of(points(count)), "Point")
    return file.read_bytes()


def staged(web: Web, folder: Path, uri: str, partition: str | None = None) -> tuple[str, int]:
    """Version of a source, and how many files were transferred for it."""
    before = len(web.requests("GET"))
    version = pipeline(folder).stage(vector(uri), partition)
    return version.id, len(web.requests("GET")) - before


def test_a_url_makes_the_version_of_the_file(web: Web, tmp_path: Path) -> None:
    body = layer(tmp_path)
    pipe = pipeline(tmp_path)
    here = pipe.stage(vector(str(tmp_path / "a.gpkg")))
    there = pipe.stage(vector(web.put("/x/a.gpkg", body)))
    assert there == here
    profile = pipeline(tmp_path / "2").store
    again = Pipeline({}, profile).stage(vector(f"{web.url}/x/a.gpkg"))
    data = Pipeline({}, profile).store.open(again)
    assert data.profile.error is None
    assert data.profile.count == 5
    assert data.profile.uri == f"{web.url}/x/a.gpkg"


def test_a_raster_with_its_world_file(web: Web, tmp_path: Path) -> None:
    write_raster(tmp_path / "a.tif", ramp(1, 20, 20))
    uri = web.put("/a.tif", (tmp_path / "a.tif").read_bytes())
    contract = RasterContract(name="r", source=Source(uri=uri))
    pipe = pipeline(tmp_path)
    profile: Any = pipe.store.profile(pipe.stage(contract))
    assert profile.error is None
    assert (profile.width, profile.height) == (20, 20)


def test_a_zip_and_its_member(web: Web, tmp_path: Path) -> None:
    packed = io.BytesIO()
    layer(tmp_path, 3, "a.geojson"), layer(tmp_path, 4, "b.geojson")
    with zipfile.ZipFile(packed, "w") as archive:
        for name in ("a", "b"):
            archive.write(tmp_path / f"{name}.geojson", f"in/{name}.geojson")
    uri = web.put("/z.zip", packed.getvalue())
    pipe = pipeline(tmp_path)
    for name, count in (("a", 3), ("b", 4)):
        version = pipe.stage(vector(f"{uri}!in/{name}.geojson"))
        assert pipe.store.profile(version).count == count
    several = pipe.store.profile(pipe.stage(vector(uri)))
    assert "the archive holds 2 datasets" in str(several.error)


def test_an_unchanged_source_is_not_transferred_again(web: Web, tmp_path: Path) -> None:
    uri = web.put("/a.gpkg", layer(tmp_path))
    first = staged(web, tmp_path, uri)
    assert first[1] == 1
    assert staged(web, tmp_path, uri) == (first[0], 0)
    web.put("/a.gpkg", layer(tmp_path / "..", 6, f"{tmp_path.name}.gpkg"))
    second = staged(web, tmp_path, uri)
    assert second[1] == 1
    assert second[0] != first[0]


def test_same_bytes_under_a_new_tag_are_the_same_version_and_then_known(
    web: Web, tmp_path: Path
) -> None:
    body = layer(tmp_path)
    first = staged(web, tmp_path, web.put("/a.gpkg", body))
    uri = web.put("/a.gpkg", body, etag='"touched"')
    assert staged(web, tmp_path, uri) == (first[0], 1)
    assert staged(web, tmp_path, uri) == (first[0], 0)


def test_a_sidecar_counts(web: Web, tmp_path: Path) -> None:
    layer(tmp_path, 5, "a.shp")
    for file in tmp_path.glob("a.*"):
        web.put(f"/{file.name}", file.read_bytes())
    uri = f"{web.url}/a.shp"
    first = staged(web, tmp_path, uri)
    assert first[1] > 1
    assert staged(web, tmp_path, uri) == (first[0], 0)
    web.put("/a.cpg", b"ISO-8859-1")
    assert staged(web, tmp_path, uri)[0] != first[0]


@pytest.mark.parametrize(
    ("how", "transfers"),
    [
        ({"etag": ""}, 0),
        ({"etag": 'W/"1"'}, 0),
        ({"etag": "", "modified": LONG_AGO, "headers": {"Date": formatdate(LONG_AGO + 59)}}, 1),
        ({"etag": "", "modified": LONG_AGO, "headers": {"Date": formatdate(LONG_AGO + 60)}}, 0),
        ({"etag": "", "modified": None}, 1),
        ({"etag": 'W/"1"', "modified": None}, 1),
        ({"etag": '"1"', "modified": None}, 0),
        ({"etag": "", "lengthless": True}, 1),
    ],
)
def test_what_proves_that_nothing_changed(
    web: Web, tmp_path: Path, how: dict[str, Any], transfers: int
) -> None:
    uri = web.put("/a.gpkg", layer(tmp_path), **how)
    first = staged(web, tmp_path, uri)
    assert staged(web, tmp_path, uri) == (first[0], transfers)


def test_other_options_are_another_version(web: Web, tmp_path: Path) -> None:
    uri = web.put("/a.gpkg", layer(tmp_path))
    pipe = pipeline(tmp_path)
    first = pipe.stage(vector(uri))
    second = pipe.stage(VectorContract(name="d", source=Source(uri=uri, where="1 = 0")))
    assert first != second
    assert pipe.store.profile(second).count == 0


def test_a_version_that_was_removed_is_transferred_again(web: Web, tmp_path: Path) -> None:
    import shutil

    uri = web.put("/a.gpkg", layer(tmp_path))
    first = staged(web, tmp_path, uri)
    store = Store(tmp_path / "store")
    shutil.rmtree(store.folder("d", None) / first[0])
    assert staged(web, tmp_path, uri) == (first[0], 1)


def test_a_partition_key_is_one_name_and_no_parameter(web: Web, tmp_path: Path) -> None:
    body = layer(tmp_path)
    web.put("/t%2Fx%3Fy%20z/a.gpkg", body)
    contract = vector(f"{web.url}/{{partition}}/a.gpkg", partitions={"dynamic": "tiles"})
    pipe = pipeline(tmp_path)
    assert pipe.store.profile(pipe.stage(contract, "t/x?y z")).error is None
    assert "cannot be part of the path" in str(pipe.store.profile(pipe.stage(contract, "..")).error)


@pytest.mark.parametrize(
    ("how", "message"),
    [
        ({"statuses": [404] * 5}, "a.gpkg: does not exist"),
        ({"statuses": [500] * 9}, "127.0.0.1 does not answer: 500"),
        ({"body": b""}, "a.gpkg: is empty, 0 bytes"),
        ({"body": b"no layer at all"}, "a.gpkg"),
    ],
)
def test_what_cannot_be_read_is_staged_as_unreadable(
    web: Web, tmp_path: Path, how: dict[str, Any], message: str
) -> None:
    web.files["/a.gpkg"] = Resource(**{"body": b"x", **how})
    pipe = pipeline(tmp_path)
    profile = pipe.store.profile(pipe.stage(vector(f"{web.url}/a.gpkg?key=hidden")))
    assert message in str(profile.error)
    assert "hidden" not in json.dumps(profile.to_json())
    assert "spatial-pipeline-" not in json.dumps(profile.to_json())


def test_a_source_that_breaks_off_is_not_staged(web: Web, tmp_path: Path) -> None:
    uri = web.put("/a.gpkg", layer(tmp_path), cut=[10] * 9)
    pipe = pipeline(tmp_path)
    with pytest.raises(SourceLostError, match="broke off"):
        pipe.stage(vector(uri))
    assert pipe.store.versions("d", None) == []


def test_settings_bound_a_transfer(
    web: Web, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    uri = web.put("/a.gpkg", layer(tmp_path))
    monkeypatch.setenv("SPATIAL_FETCH_MAX_BYTES", "1000")
    monkeypatch.setenv("SPATIAL_STORE", str(tmp_path / "store"))
    contract = vector(uri)
    pipe = Pipeline.of([contract], Settings())
    message = str(pipe.store.profile(pipe.stage(contract)).error)
    assert message == "a.gpkg: has more than 1000 bytes, the limit (SPATIAL_FETCH_MAX_BYTES)"


VRT = """<VRTDataset rasterXSize="20" rasterYSize="20"><VRTRasterBand dataType="Byte" band="1">
<SimpleSource><SourceFilename relativeToVRT="0">{}</SourceFilename></SimpleSource>
</VRTRasterBand></VRTDataset>"""


@pytest.mark.parametrize("name", ["a.vrt", "a.tif"])
@pytest.mark.parametrize("zipped", [False, True])
def test_a_remote_file_reads_no_file_of_this_machine(
    web: Web, tmp_path: Path, name: str, zipped: bool
) -> None:
    secret = write_raster(tmp_path / "secret.tif", ramp(1, 20, 20))
    body = VRT.format(secret).encode()
    if zipped:
        packed = io.BytesIO()
        with zipfile.ZipFile(packed, "w") as archive:
            archive.writestr(name, body)
        uri = web.put("/a.zip", packed.getvalue())
    else:
        uri = web.put(f"/{name}", body)
    pipe = pipeline(tmp_path)
    version = pipe.stage(RasterContract(name="r", source=Source(uri=uri)))
    profile = pipe.store.profile(version)
    assert profile.error is not None
    assert "is outside" in profile.error or "point" in profile.error
    assert not (pipe.store.path(version) / "data.tif").exists()


def test_the_other_source_of_a_comparison_may_be_remote(web: Web, tmp_path: Path) -> None:
    import asyncio

    uri = web.put("/b.gpkg", layer(tmp_path, 5, "b.gpkg")) + "?sig=hidden"
    layer(tmp_path, 5)
    rule: Any = {"rule": "same_features_as", "other": {"uri": uri}, "tolerance": 0}
    contract = vector(str(tmp_path / "a.gpkg"), rules=(rule,))
    pipe = Pipeline({"d": contract}, Store(tmp_path / "store"))
    version = pipe.stage(contract)
    for expected in (1, 1):
        audit = asyncio.run(pipe.audit(contract, version))
        assert [r.status.value for r in audit.results] == ["passed"] * 3
        assert len(web.requests("GET")) == expected
    shown = json.dumps(audit.verdict.to_json())
    assert "hidden" not in shown


def test_sidecars_that_are_pages_are_told_with_the_data(web: Web, tmp_path: Path) -> None:
    write_layer(tmp_path / "a.shp", table_of(points(3)), "Point")
    for suffix in ("shp", "shx", "dbf"):
        web.put(f"/a.{suffix}", (tmp_path / f"a.{suffix}").read_bytes())
    web.put("/a.prj", b"<html>", headers={"Content-Type": "text/html"})
    pipe = pipeline(tmp_path)
    said = "the server sends a web page in place of a.prj: left out"
    profile = pipe.store.open(pipe.stage(vector(f"{web.url}/a.shp"))).profile
    assert (profile.error, profile.crs) == (None, None)
    assert said in profile.notes
    web.put("/a.shp", b"no shapes")
    profile = pipe.store.open(pipe.stage(vector(f"{web.url}/a.shp"))).profile
    assert profile.error is not None
    assert profile.error.endswith(said)


def test_an_archive_is_transferred_again_for_a_rule_about_its_members(
    web: Web, tmp_path: Path
) -> None:
    content = io.BytesIO()
    with zipfile.ZipFile(content, "w") as archive:
        archive.writestr("a.gpkg", layer(tmp_path))
        archive.writestr("readme.txt", "x")
    uri = web.put("/a.zip", content.getvalue())
    pipe = pipeline(tmp_path)
    plain = pipe.stage(vector(uri))
    asked = vector(uri, rules=[{"rule": "delivery_contents", "required": ["*.gpkg"]}])
    version = pipe.stage(asked)
    assert version.id != plain.id
    assert pipe.store.profile(plain).delivery is None
    assert pipe.store.profile(version).delivery == Delivery(("a.gpkg", "readme.txt"))
    before = len(web.requests("GET"))
    assert pipe.stage(asked) == version
    assert len(web.requests("GET")) == before
