"""A contract with sources on a web server and in a bucket, from the file to the exit code."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from uuid import uuid4

import httpx2
import obstore
import pytest
from moto.server import ThreadedMotoServer
from obstore.store import S3Store

from spatial_pipeline_tests.ingest.sources import points, table_of, write_layer
from spatial_pipeline_tests.sources.web import Web, serving

RUN = "from spatial_pipeline.cli import main; main()"
CONTRACT = """type: spatial_pipeline.VectorDataset
attributes:
  name: places
  source: {{uri: "{source}"}}
  key: [id]
  rules:
    - {{rule: crs, equals: "EPSG:4326"}}
    - {{rule: feature_count, min: 5}}
    - {{rule: same_features_as, other: {{uri: "{other}"}}, tolerance: 0}}
"""


@pytest.fixture
def web() -> Iterator[Web]:
    with serving() as server:
        yield server


@pytest.fixture
def bucket(monkeypatch: pytest.MonkeyPatch) -> Iterator[S3Store]:
    server = ThreadedMotoServer(ip_address="127.0.0.1", port=0, verbose=False)
    server.start()
    host, port = server.get_host_and_port()
    environment = {
        "AWS_ENDPOINT_URL": f"http://{host}:{port}",
        "AWS_ACCESS_KEY_ID": "id",
        "AWS_SECRET_ACCESS_KEY": "hidden3",
        "AWS_REGION": "us-east-1",
    }
    for name, value in environment.items():
        monkeypatch.setenv(name, value)
    name = f"b{uuid4().hex}"
    httpx2.put(f"http://{host}:{port}/{name}", trust_env=False).raise_for_status()
    yield S3Store(name, client_options={"allow_http": True})
    server.stop()


def check(folder: Path, *more: str) -> tuple[int, dict[str, object], str]:
    """Exit code, what was printed, and everything said or stored."""
    environment = {**os.environ, "SPATIAL_STORE": str(folder / "store")}
    done = subprocess.run(
        [sys.executable, "-c", RUN, "check", "places.yaml", "--json", *more],
        cwd=folder,
        env=environment,
        capture_output=True,
        text=True,
        timeout=200,
        check=False,
    )
    stored = [p.read_text(errors="replace") for p in folder.rglob("*") if p.suffix == ".json"]
    printed = json.loads(done.stdout) if done.stdout else {}
    return done.returncode, printed, done.stdout + done.stderr + "".join(stored)


def test_a_contract_of_a_web_server_and_a_bucket(
    web: Web, bucket: S3Store, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    shapes = tmp_path / "made"
    shapes.mkdir()
    layer = table_of(points(6), id=range(6))
    here = write_layer(shapes / "a.gpkg", layer, "Point").read_bytes()
    write_layer(shapes / "b.shp", layer, "Point")
    for file in shapes.glob("b.*"):
        obstore.put(bucket, f"in/{file.name}", file.read_bytes())
    name = bucket.config["bucket"]
    source = web.put("/x/a.gpkg", here).replace("http://", "http://me:hidden1@")
    text = CONTRACT.format(source=f"{source}?sig=hidden2", other=f"s3://{name}/in/b.shp")
    (tmp_path / "places.yaml").write_text(text)
    monkeypatch.setenv("SPATIAL_ALLOWED_SOURCES", json.dumps([f"{web.url}/x", f"s3://{name}/in"]))
    code, printed, said = check(tmp_path)
    assert code == 0, said
    assert printed["datasets"][0]["passed"] is True  # type: ignore[index]
    assert "hidden" not in said
    transfers = len(web.requests("GET"))
    assert transfers == 1
    monkeypatch.setenv("SPATIAL_ALLOWED_SOURCES", json.dumps([f"s3://{name}/in"]))
    code, _, said = check(tmp_path)
    assert code == 1
    assert "lies outside of the allowed sources" in said
    assert "hidden" not in said
    assert len(web.requests("GET")) == transfers


def test_a_misspelt_scheme_is_a_mistake_with_its_line(tmp_path: Path) -> None:
    text = CONTRACT.format(source="htps://h.org/a.gpkg", other="s4a://b/b.shp")
    (tmp_path / "places.yaml").write_text(text)
    code, _, said = check(tmp_path)
    assert code == 2
    assert "places.yaml:4" in said
    assert "source.uri: unknown scheme 'htps:'; did you mean 'https:'?" in said
    assert "places.yaml:9" in said
