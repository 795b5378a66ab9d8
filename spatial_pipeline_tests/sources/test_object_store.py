"""Object stores: a real S3 server in this process, and obstore's store in memory."""

from __future__ import annotations

import logging
import os
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any
from uuid import uuid4

import obstore
import pytest
from moto.server import ThreadedMotoServer
from obstore.exceptions import GenericError, PermissionDeniedError
from obstore.store import MemoryStore, S3Store

from spatial_pipeline.contract.source import Source
from spatial_pipeline.errors import SourceError, SourceLostError, SourceUnreachableError
from spatial_pipeline.ingest.probe import list_keys, probe
from spatial_pipeline.sources import object_store
from spatial_pipeline.sources.transfer import DEFAULTS, TransferLimits, remote
from spatial_pipeline_tests.ingest.sources import points, table_of, write_layer

BODY = bytes(range(256)) * 20_000


@pytest.fixture(scope="session")
def s3_server() -> Iterator[str]:
    logging.getLogger("werkzeug").setLevel(logging.ERROR)
    server = ThreadedMotoServer(ip_address="127.0.0.1", port=0, verbose=False)
    server.start()
    host, port = server.get_host_and_port()
    yield f"http://{host}:{port}"
    server.stop()


@pytest.fixture
def bucket(s3_server: str, monkeypatch: pytest.MonkeyPatch) -> str:
    """Name of a fresh bucket that the environment gives access to."""
    environment = {
        "AWS_ENDPOINT_URL": s3_server,
        "AWS_ACCESS_KEY_ID": "id",
        "AWS_SECRET_ACCESS_KEY": "hidden",
        "AWS_REGION": "us-east-1",
    }
    for name, value in environment.items():
        monkeypatch.setenv(name, value)
    import httpx2

    name = f"b{uuid4().hex}"
    httpx2.put(f"{s3_server}/{name}", trust_env=False).raise_for_status()
    return name


def put(bucket: str, **files: bytes) -> None:
    for name, body in files.items():
        obstore.put(S3Store(bucket, client_options={"allow_http": True}), name, body)


def put_all(bucket: str, files: dict[str, bytes]) -> None:
    put(bucket, **files)


def fetch(
    uri: str, folder: Path, limits: TransferLimits = DEFAULTS, allowed: list[str] | None = None
) -> dict[str, bytes]:
    with remote(uri, allowed, limits) as found:
        found.fetch(folder)
    return {f.name: f.read_bytes() for f in folder.iterdir()}


def test_a_file_and_its_sidecars_arrive(bucket: str, tmp_path: Path) -> None:
    files = {f"d e/a.{s}": s.encode() for s in ("shp", "dbf", "PRJ", "cpg", "txt")}
    put_all(bucket, {**files, "d e/f/a.shx": b"", "a.shx": b"", "d e/ab.dbf": b""})
    assert fetch(f"s3://{bucket}/d e/a.shp", tmp_path) == {
        f"a.{s}": s.encode() for s in ("shp", "dbf", "PRJ", "cpg")
    }


def test_a_file_at_the_root_of_a_bucket(bucket: str, tmp_path: Path) -> None:
    put_all(bucket, {"a.tif": b"x", "a.tfw": b"y", "a.tif.ovr": b"z"})
    assert set(fetch(f"s3://{bucket}/a.tif", tmp_path)) == {"a.tif", "a.tfw", "a.tif.ovr"}


def test_what_is_missing_or_refused_says_so(bucket: str, tmp_path: Path) -> None:
    with pytest.raises(SourceError, match=r"^does not exist$"):
        fetch(f"s3://{bucket}/no.tif", tmp_path)
    with pytest.raises(SourceError, match="a folder cannot be read from there, zip it"):
        fetch(f"s3://{bucket}/no.gdb", tmp_path)
    with pytest.raises(SourceError, match="the path must end in a file name"):
        fetch(f"s3://{bucket}/folder/", tmp_path)


@pytest.mark.parametrize(
    ("uri", "allowed"),
    [
        ("s3://{}/data/a.fgb", ["s3://other"]),
        ("s3://{}/data/a.fgb", ["gs://{}"]),
        ("s3://{}/data/a.fgb", ["s3://{}/dat"]),
        ("s3://{}/data/a.fgb", ["s3://{}/data/a"]),
        ("s3://{}/data/a.fgb", ["/data", "https://{}"]),
        ("s3://{}/data/a.fgb", []),
    ],
)
def test_what_is_not_allowed_is_not_asked_for(
    bucket: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, uri: str, allowed: list[str]
) -> None:
    monkeypatch.setattr(object_store, "opened_store", None)
    entries = [a.format(bucket) for a in allowed]
    with pytest.raises(SourceError, match="outside of the allowed sources"):
        fetch(uri.format(bucket), tmp_path, allowed=entries)


def test_what_is_allowed_is_read(bucket: str, tmp_path: Path) -> None:
    put_all(bucket, {"data/a.fgb": BODY})
    for index, allowed in enumerate((f"s3://{bucket}", f"s3://{bucket}/data/")):
        folder = tmp_path / str(index)
        folder.mkdir()
        assert fetch(f"s3://{bucket}/data/a.fgb", folder, allowed=[allowed]) == {"a.fgb": BODY}


def test_more_bytes_than_the_limit(bucket: str, tmp_path: Path) -> None:
    put_all(bucket, {"a.fgb": BODY})
    with pytest.raises(SourceError, match="SPATIAL_FETCH_MAX_BYTES"):
        fetch(f"s3://{bucket}/a.fgb", tmp_path, TransferLimits(max_bytes=len(BODY) - 1))


def test_a_store_that_is_away(bucket: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("AWS_ENDPOINT_URL", "http://127.0.0.1:1")
    message = f"s3://{bucket} does not answer"
    with pytest.raises(SourceUnreachableError, match=message) as failed:
        fetch(f"s3://{bucket}/a.fgb", tmp_path, TransferLimits(attempts=1))
    assert "hidden" not in str(failed.value)
    assert "\n" not in str(failed.value)
    state = probe(Source(uri=f"s3://{bucket}/a.fgb"), tmp_path, limits=TransferLimits(attempts=1))
    assert state.lost
    assert state.token is None


def test_a_store_without_an_account_says_what_is_missing(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    for name in list(os.environ):
        if name.startswith("AZURE_"):
            monkeypatch.delenv(name)
    with pytest.raises(SourceError, match=r"(?i)az://container .*account"):
        fetch("az://container/a.fgb", tmp_path)


def test_missing_credentials_say_what_to_set(
    bucket: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Nothing answers at the address that machines of the cloud have their credentials from."""
    for name in ("AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY"):
        monkeypatch.delenv(name)
    monkeypatch.setenv("AWS_CONTAINER_CREDENTIALS_FULL_URI", "http://169.254.170.2/nothing")
    limits = TransferLimits(attempts=1, connect_timeout_s=0.5, read_timeout_s=0.5)
    with pytest.raises(SourceError, match="no credentials: set AWS_ACCESS_KEY_ID"):
        fetch(f"s3://{bucket}/a.fgb", tmp_path, limits)
    # The other way out: then the bucket is asked.
    monkeypatch.setenv("AWS_SKIP_SIGNATURE", "true")
    with pytest.raises(SourceError, match="does not exist"):
        fetch(f"s3://{bucket}/a.fgb", tmp_path, limits)


ELSEWHERE = "the bucket is in another region than AWS_REGION says: "
MALFORMED = (
    "<Error><Code>AuthorizationHeaderMalformed</Code>"
    "<Message>the region 'us-east-1' is wrong; expecting '{0}'</Message>{1}</Error>"
)
ANSWERS = [
    (
        400,
        MALFORMED.format("eu-central-1", "<Region>eu-central-1</Region>"),
        f"{ELSEWHERE}it is in eu-central-1: set AWS_REGION",
    ),
    (400, MALFORMED.format("eu-west-3", ""), f"{ELSEWHERE}it is in eu-west-3: set AWS_REGION"),
    (301, "<Error><Code>PermanentRedirect</Code></Error>", f"{ELSEWHERE}set AWS_REGION"),
    (
        403,
        "<Error><Code>InvalidAccessKeyId</Code><Message>It does not exist.</Message></Error>",
        "InvalidAccessKeyId: It does not exist.",
    ),
    (400, "<Error><Code>ExpiredToken</Code></Error>", "ExpiredToken"),
]


@pytest.mark.parametrize(("status", "body", "reason"), ANSWERS)
def test_what_a_store_refuses_has_its_cause(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, status: int, body: str, reason: str
) -> None:
    """As S3 answers: to HEAD without a word, to GET with the cause."""
    with refusing(status, body) as address:
        for name, value in (
            ("AWS_ENDPOINT_URL", address),
            ("AWS_ACCESS_KEY_ID", "id"),
            ("AWS_SECRET_ACCESS_KEY", "hidden"),
            ("AWS_REGION", "us-east-1"),
        ):
            monkeypatch.setenv(name, value)
        with pytest.raises(SourceError) as failed:
            fetch("s3://bucket/a.fgb", tmp_path, TransferLimits(attempts=1))
    assert str(failed.value) == f"may not be read: {reason}"


@contextmanager
def refusing(status: int, body: str) -> Iterator[str]:
    class Handler(BaseHTTPRequestHandler):
        def log_message(self, *_: Any) -> None:
            pass

        def do_HEAD(self) -> None:
            self.send_response(status)
            self.send_header("Content-Length", str(len(body)))
            self.end_headers()

        def do_GET(self) -> None:
            self.do_HEAD()
            self.wfile.write(body.encode())

    with ThreadingHTTPServer(("127.0.0.1", 0), Handler) as server:
        thread = threading.Thread(target=server.serve_forever, args=(0.01,))
        thread.start()
        yield f"http://127.0.0.1:{server.server_address[1]}"
        server.shutdown()
        thread.join()


# In memory: what a server cannot be made to do


@pytest.fixture
def memory(monkeypatch: pytest.MonkeyPatch) -> MemoryStore:
    store = MemoryStore()
    monkeypatch.setattr(object_store, "opened_store", lambda _remote, _limits: store)
    return store


class Breaking:
    """A transfer that breaks off after some bytes."""

    def __init__(self, result: Any, after: int) -> None:
        self.meta = result.meta
        self._data = bytes(result.bytes())[:after]

    def stream(self, min_chunk_size: int) -> Iterator[bytes]:
        yield self._data
        raise GenericError("connection reset by http://server/a?sig=hidden")


@pytest.mark.parametrize("uri", ["s3://b/a.fgb", "gs://b/a.fgb", "az://b/a.fgb"])
def test_a_broken_transfer_is_resumed(
    memory: MemoryStore, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, uri: str
) -> None:
    memory.put("a.fgb", BODY)
    real = obstore.get
    asked: list[Any] = []

    def get(store: Any, key: str, *, options: Any) -> Any:
        asked.append(options)
        result = real(store, key, options=options)
        return Breaking(result, 1000) if len(asked) < 3 else result

    monkeypatch.setattr(object_store.obstore, "get", get)
    assert fetch(uri, tmp_path) == {"a.fgb": BODY}
    assert [o.get("range") for o in asked] == [None, {"offset": 1000}, {"offset": 2000}]
    assert asked[1]["if_match"] == memory.head("a.fgb")["e_tag"]


def test_an_object_that_changes_while_it_is_resumed(
    memory: MemoryStore, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    memory.put("a.fgb", BODY)
    real = obstore.get

    def get(store: Any, key: str, *, options: Any) -> Any:
        result = Breaking(real(store, key, options=options), 1000)
        memory.put("a.fgb", BODY[::-1])
        return result

    monkeypatch.setattr(object_store.obstore, "get", get)
    with pytest.raises(SourceLostError, match=r"a.fgb changed while it was read: run again"):
        fetch("s3://b/a.fgb", tmp_path)


def test_a_transfer_that_always_breaks(
    memory: MemoryStore,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capfd: pytest.CaptureFixture[str],
    caplog: pytest.LogCaptureFixture,
) -> None:
    memory.put("a.fgb", BODY)
    real = obstore.get
    monkeypatch.setattr(object_store.obstore, "get", lambda *a, **k: Breaking(real(*a, **k), 10))
    with pytest.raises(SourceLostError, match=r"a.fgb: the transfer broke off") as failed:
        fetch("s3://b/a.fgb", tmp_path)
    assert "hidden" not in str(failed.value) + caplog.text + "".join(capfd.readouterr())


def test_a_transfer_that_ends_early(
    memory: MemoryStore, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    class Short(Breaking):
        def stream(self, min_chunk_size: int) -> Iterator[bytes]:
            yield self._data

    memory.put("a.fgb", BODY)
    real = obstore.get
    monkeypatch.setattr(object_store.obstore, "get", lambda *a, **k: Short(real(*a, **k), 10))
    with pytest.raises(SourceLostError, match=r"a.fgb: the transfer ended after 10 bytes"):
        fetch("s3://b/a.fgb", tmp_path)


def test_an_object_that_changes_after_it_was_looked_at(memory: MemoryStore, tmp_path: Path) -> None:
    memory.put("a.shp", BODY)
    memory.put("a.dbf", BODY)
    with remote("s3://b/a.shp", None, DEFAULTS) as found:
        memory.put("a.dbf", BODY)
        with pytest.raises(SourceLostError, match=r"a.dbf changed"):
            found.fetch(tmp_path)


def test_a_store_that_may_be_read_and_not_listed(
    memory: MemoryStore, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def denied(*_: Any, **__: Any) -> None:
        raise PermissionDeniedError("no listing")

    monkeypatch.setattr(object_store.obstore, "list_with_delimiter", denied)
    for name in ("a.shp", "a.dbf", "a.sbn"):
        memory.put(f"d/{name}", b"x")
    assert set(fetch("s3://b/d/a.shp", tmp_path)) == {"a.shp", "a.dbf"}


# States and keys


def test_the_state_changes_with_any_file(bucket: str, tmp_path: Path) -> None:
    put_all(bucket, {"d/a.shp": b"1", "d/a.dbf": b"1", "d/b.dbf": b"1"})
    source = Source(uri=f"s3://{bucket}/d/a.shp")
    seen = [probe(source, tmp_path).token]
    put_all(bucket, {"d/b.dbf": b"2"})
    assert probe(source, tmp_path).token == seen[0]
    for name in ("d/a.dbf", "d/a.shp", "d/a.prj"):
        put_all(bucket, {name: b"2"})
        seen.append(probe(source, tmp_path).token)
    assert None not in seen
    assert len(set(seen)) == 4
    gone = probe(Source(uri=f"s3://{bucket}/d/no.shp"), tmp_path)
    assert (gone.token, gone.error, gone.lost) == (None, "does not exist", False)


def test_keys_have_the_states_of_their_files(bucket: str, tmp_path: Path) -> None:
    for key in ("n 1", "s"):
        put_all(bucket, {f"t/{key}/{key}.shp": b"x", f"t/{key}/{key}.dbf": b"x"})
    put_all(bucket, {"t/n 1/s.shp": b"x", "t/deep/n/n.shp": b"x", "other/x/x.shp": b"x"})
    uri = f"s3://{bucket}/t/{{partition}}/{{partition}}.shp"
    found = list_keys(Source(uri=uri), tmp_path)
    assert set(found) == {"n 1", "s"}
    for key, token in found.items():
        assert probe(Source(uri=uri), tmp_path, key).token == token
    put_all(bucket, {"t/s/s.dbf": b"y"})
    changed = list_keys(Source(uri=uri), tmp_path)
    assert changed["n 1"] == found["n 1"]
    assert changed["s"] != found["s"]


def test_keys_of_a_whole_bucket(bucket: str, tmp_path: Path) -> None:
    put_all(bucket, {"a.tif": b"x", "b.tif": b"x", "b.tfw": b"x", "d/c.tif": b"x"})
    assert set(list_keys(Source(uri=f"s3://{bucket}/{{partition}}.tif"), tmp_path)) == {"a", "b"}
    assert list_keys(Source(uri=f"s3://{bucket}/none/{{partition}}.tif"), tmp_path) == {}


def test_what_cannot_be_listed_says_so(bucket: str, tmp_path: Path) -> None:
    for uri, message in (
        (f"s3://{bucket}/{{partition}}.tif", "outside of the allowed sources"),
        (f"s3://{bucket}/in/../{{partition}}.tif", "cannot be part of the path"),
        ("https://example.org/{partition}.tif", "on a web server cannot be listed"),
        (f"s3://{bucket}/a.zip!{{partition}}.shp", "not of the archive"),
    ):
        allowed = [f"s3://{bucket}/in"] if "tif" in uri else None
        with pytest.raises(SourceError, match=message):
            # A contract would refuse some of these addresses before.
            list_keys(Source.model_construct(uri=uri), tmp_path, allowed)


def test_a_layer_of_a_bucket_is_staged_like_a_local_one(bucket: str, tmp_path: Path) -> None:
    from spatial_pipeline.contract.models import VectorContract
    from spatial_pipeline.pipeline.pipeline import Pipeline
    from spatial_pipeline.store.versions import Store

    write_layer(tmp_path / "a.shp", table_of(points(7)), "Point")
    put_all(bucket, {f"d/{f.name}": f.read_bytes() for f in tmp_path.glob("a.*")})
    pipe = Pipeline({}, Store(tmp_path / "store"))
    here = pipe.stage(VectorContract(name="d", source=Source(uri=str(tmp_path / "a.shp"))))
    there = pipe.stage(VectorContract(name="d", source=Source(uri=f"s3://{bucket}/d/a.shp")))
    assert here == there
    assert pipe.store.profile(there).error is None
