"""Transfers from a real web server, with everything that can go wrong on the way."""

from __future__ import annotations

import gzip
import logging
import socket
import threading
from pathlib import Path

import httpx2
import pytest

from spatial_pipeline.errors import SourceError, SourceLostError, SourceUnreachableError
from spatial_pipeline.sources import addresses
from spatial_pipeline.sources.transfer import DEFAULTS, TransferLimits, remote
from spatial_pipeline_tests.sources.web import Resource, Web, certified, serving

BODY = bytes(range(256)) * 4000


def fetch(
    uri: str, folder: Path, limits: TransferLimits = DEFAULTS, allowed: list[str] | None = None
) -> dict[str, bytes]:
    with remote(uri, allowed, limits) as found:
        found.fetch(folder)
    return {f.name: f.read_bytes() for f in folder.iterdir()}


def test_a_file_arrives_with_its_name_and_bytes(web: Web, tmp_path: Path) -> None:
    uri = web.put("/a/b%20c.geojson", BODY)
    assert fetch(uri, tmp_path) == {"b c.geojson": BODY}


def test_progress_is_told_in_bytes(web: Web, tmp_path: Path) -> None:
    told: list[tuple[int, int | None]] = []
    with remote(web.put("/a.gpkg", BODY), None, DEFAULTS) as found:
        found.fetch(tmp_path, lambda done, total: told.append((done, total)))
    assert told[-1] == (len(BODY), len(BODY))
    assert len(told) > 1
    assert told == sorted(told)


def test_sidecars_come_along(web: Web, tmp_path: Path) -> None:
    for suffix in ("shp", "dbf", "shx", "prj", "cpg", "txt"):
        web.put(f"/a.{suffix}", suffix.encode())
    found = fetch(f"{web.url}/a.shp", tmp_path)
    assert found == {f"a.{s}": s.encode() for s in ("shp", "dbf", "shx", "prj", "cpg")}


def test_sidecars_in_capitals(web: Web, tmp_path: Path) -> None:
    for suffix in ("SHP", "DBF", "SHX"):
        web.put(f"/A.{suffix}", b"x")
    assert set(fetch(f"{web.url}/A.SHP", tmp_path)) == {"A.SHP", "A.DBF", "A.SHX"}


def test_the_sidecars_of_a_raster(web: Web, tmp_path: Path) -> None:
    names = {"a.tif", "a.tfw", "a.tif.aux.xml", "a.tif.ovr", "a.tif.msk"}
    for name in names:
        web.put(f"/{name}", b"x")
    assert set(fetch(f"{web.url}/a.tif", tmp_path)) == names


def test_a_page_in_place_of_a_sidecar_is_none(web: Web, tmp_path: Path) -> None:
    page = {"Content-Type": "text/html; charset=utf-8"}
    web.put("/a.prj", b"<html>", headers=page)
    assert set(fetch(web.put("/a.shp", b"x", headers=page), tmp_path)) == {"a.shp"}


PAGE = b"\xef\xbb\xbf\n <!DOCTYPE HTML><title>Sign in</title>"


@pytest.mark.parametrize("kind", ["text/html; charset=utf-8", "application/octet-stream"])
def test_sidecars_that_are_pages_are_named(web: Web, tmp_path: Path, kind: str) -> None:
    for suffix in ("prj", "cpg"):
        web.put(f"/a.{suffix}", PAGE, headers={"Content-Type": kind})
    web.put("/a.dbf", b"<htm")
    with remote(web.put("/a.shp", b"x"), None, DEFAULTS) as found:
        found.fetch(tmp_path)
        (note,) = found.notes
    assert {f.name for f in tmp_path.iterdir()} == {"a.shp", "a.dbf"}
    assert note == "the server sends a web page in place of a.prj, a.cpg: left out"


def test_a_page_in_place_of_the_file_itself_is_an_error(web: Web, tmp_path: Path) -> None:
    with pytest.raises(SourceError, match=r"^the server sends a web page instead of the file$"):
        fetch(web.put("/a.gpkg", PAGE, headers={"Content-Type": "text/html"}), tmp_path)


@pytest.mark.parametrize("status", [403, 405, 501])
def test_a_server_that_refuses_head_is_asked_for_one_byte(
    web: Web, tmp_path: Path, status: int
) -> None:
    for name in ("a.shp", "a.dbf"):
        web.put(f"/{name}", BODY, head=status)
    with remote(f"{web.url}/a.shp", None, DEFAULTS) as found:
        assert {n: s.size for n, s in found.stats.items()} == dict.fromkeys(
            ("a.shp", "a.dbf"), len(BODY)
        )
        assert found.proof is not None
        found.fetch(tmp_path)
    assert (tmp_path / "a.dbf").read_bytes() == BODY


def test_a_query_is_sent(web: Web, tmp_path: Path) -> None:
    assert fetch(web.put("/a.fgb", BODY) + "?sig=1&x=%20", tmp_path) == {"a.fgb": BODY}
    assert web.requests("GET") == ["/a.fgb?sig=1&x=%20"]


def test_what_is_lost_is_fetched_and_the_rest_is_not_sent_twice(web: Web, tmp_path: Path) -> None:
    assert fetch(web.put("/a.gpkg", BODY, cut=[1000, 5000]), tmp_path) == {"a.gpkg": BODY}
    ranges = [h.get("range") for m, _, h in web.asked if m == "GET"]
    assert ranges[0] is None
    assert ranges[1] == "bytes=1000-"
    assert ranges[2] == "bytes=6000-"


@pytest.mark.parametrize("how", [{"ranges": False}, {"etag": ""}, {"etag": 'W/"1"'}])
def test_without_ranges_or_a_tag_a_transfer_starts_anew(
    web: Web, tmp_path: Path, how: dict[str, object]
) -> None:
    uri = web.put("/a.gpkg", BODY, cut=[1000], **how)
    told: list[int] = []
    with remote(uri, None, TransferLimits(max_bytes=len(BODY))) as found:
        found.fetch(tmp_path, lambda done, _total: told.append(done))
    assert (tmp_path / "a.gpkg").read_bytes() == BODY
    assert told[-1] == len(BODY)


@pytest.mark.parametrize("lengthless", [False, True])
def test_a_transfer_that_always_breaks_is_an_error_and_no_shorter_file(
    web: Web, tmp_path: Path, lengthless: bool
) -> None:
    uri = web.put("/a.gpkg", BODY, cut=[10] * 9, lengthless=lengthless)
    with pytest.raises(SourceLostError, match=r"a.gpkg: the transfer broke off after \d+ bytes"):
        fetch(uri, tmp_path)


def test_a_file_without_a_length(web: Web, tmp_path: Path) -> None:
    assert fetch(web.put("/a.gpkg", BODY, lengthless=True), tmp_path) == {"a.gpkg": BODY}


def test_a_file_that_changes_while_it_is_resumed(web: Web, tmp_path: Path) -> None:
    uri = web.put("/a.gpkg", BODY, cut=[1000], then=Resource(BODY[::-1]))
    with pytest.raises(SourceLostError, match=r"a.gpkg changed while it was read: run again"):
        fetch(uri, tmp_path)


def test_a_file_that_changes_and_changes_back(web: Web, tmp_path: Path) -> None:
    """Looking at it afterwards would show nothing."""
    between = Resource(BODY[::-1], then=Resource(BODY))
    uri = web.put("/a.gpkg", BODY, cut=[1000], then=between)
    with pytest.raises(SourceLostError, match=r"a.gpkg changed while it was read"):
        fetch(uri, tmp_path)


def test_a_file_that_changes_after_it_was_looked_at(web: Web, tmp_path: Path) -> None:
    uri = web.put("/a.gpkg", BODY)
    with remote(uri, None, DEFAULTS) as found:
        web.put("/a.gpkg", BODY[::-1])
        with pytest.raises(SourceLostError, match=r"a.gpkg changed"):
            found.fetch(tmp_path)


def test_a_file_that_changes_behind_the_transfer(web: Web, tmp_path: Path) -> None:
    uri = web.put("/a.gpkg", BODY, then=Resource(BODY, etag='"new"'))
    with pytest.raises(SourceLostError, match=r"a.gpkg changed"):
        fetch(uri, tmp_path)


def test_a_sidecar_that_comes_meanwhile(web: Web, tmp_path: Path) -> None:
    with remote(web.put("/a.shp", BODY), None, DEFAULTS) as found:
        web.put("/a.dbf", b"x")
        with pytest.raises(SourceLostError, match=r"a.dbf changed"):
            found.fetch(tmp_path)


@pytest.mark.parametrize("status", [429, 500, 503])
def test_a_busy_server_is_asked_again(web: Web, tmp_path: Path, status: int) -> None:
    assert fetch(web.put("/a.fgb", BODY, statuses=[status, status]), tmp_path) == {"a.fgb": BODY}


def test_a_server_that_stays_busy_is_unreachable(web: Web, tmp_path: Path) -> None:
    uri = web.put("/a.fgb", BODY, statuses=[500] * 9)
    with pytest.raises(SourceUnreachableError, match="does not answer: 500 Internal Server Error"):
        fetch(uri, tmp_path)
    assert len(web.asked) == 3


def test_a_slow_server_is_given_up(web: Web, tmp_path: Path) -> None:
    pause = threading.Event()
    uri = web.put("/a.fgb", BODY, pause=pause)
    try:
        with pytest.raises(SourceLostError, match="no answer in time"):
            fetch(uri, tmp_path, TransferLimits(read_timeout_s=0.05, attempts=2))
    finally:
        pause.set()


def test_no_server(tmp_path: Path) -> None:
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        uri = f"http://127.0.0.1:{taken.getsockname()[1]}/a.fgb"
        with pytest.raises(SourceUnreachableError, match=r"127.0.0.1 does not answer"):
            fetch(uri, tmp_path)


def test_an_unknown_name(tmp_path: Path) -> None:
    with pytest.raises(SourceUnreachableError, match=r"no address of nothing.invalid is known"):
        fetch("http://nothing.invalid/a.fgb", tmp_path)


@pytest.mark.parametrize(
    ("status", "message"),
    [
        (404, "does not exist"),
        (410, "does not exist"),
        (401, "may not be read: the server answers 401 Unauthorized"),
        (403, "may not be read: the server answers 403 Forbidden"),
        (418, "cannot be read: the server answers 418"),
    ],
)
def test_what_is_not_there_is_not_asked_for_again(
    web: Web, tmp_path: Path, status: int, message: str
) -> None:
    with pytest.raises(SourceError, match=message):
        fetch(web.put("/a.fgb", BODY, statuses=[status] * 9), tmp_path)
    assert len(web.asked) <= 2


@pytest.mark.parametrize("lengthless", [False, True])
def test_more_bytes_than_the_limit(web: Web, tmp_path: Path, lengthless: bool) -> None:
    uri = web.put("/a.gpkg", BODY, lengthless=lengthless)
    limits = TransferLimits(max_bytes=len(BODY) - 1)
    message = rf"more than {len(BODY) - 1} bytes, the limit \(SPATIAL_FETCH_MAX_BYTES\)"
    with pytest.raises(SourceError, match=message):
        fetch(uri, tmp_path, limits)
    assert fetch(uri, tmp_path, TransferLimits(max_bytes=len(BODY)))["a.gpkg"] == BODY


def test_the_limit_counts_all_files(web: Web, tmp_path: Path) -> None:
    web.put("/a.dbf", BODY, lengthless=True)
    uri = web.put("/a.shp", BODY, lengthless=True)
    with pytest.raises(SourceError, match="the limit"):
        fetch(uri, tmp_path, TransferLimits(max_bytes=2 * len(BODY) - 1))


def test_a_compressed_answer_is_unpacked_and_counted_unpacked(web: Web, tmp_path: Path) -> None:
    uri = web.put("/a.json", gzip.compress(BODY), headers={"Content-Encoding": "gzip"})
    assert fetch(uri, tmp_path) == {"a.json": BODY}
    with pytest.raises(SourceError, match="the limit"):
        fetch(uri, tmp_path, TransferLimits(max_bytes=len(BODY) - 1))


def test_a_compressed_answer_that_is_damaged(web: Web, tmp_path: Path) -> None:
    uri = web.put("/a.json", b"no gzip", headers={"Content-Encoding": "gzip"})
    with pytest.raises(SourceError, match=r"a.json"):
        fetch(uri, tmp_path)


def test_a_server_that_tells_no_length_to_head(web: Web, tmp_path: Path) -> None:
    """It tells the length of its answer, which is empty."""
    for name in ("a.shp", "a.dbf"):
        web.put(f"/{name}", BODY, head=200)
    with remote(f"{web.url}/a.shp", None, DEFAULTS) as found:
        assert [s.size for s in found.stats.values()] == [len(BODY)] * 2
        found.fetch(tmp_path)
    assert (tmp_path / "a.dbf").read_bytes() == BODY


def test_an_empty_file_is_a_file(web: Web, tmp_path: Path) -> None:
    assert fetch(web.put("/a.fgb", b""), tmp_path) == {"a.fgb": b""}


def test_a_transfer_without_a_length_that_is_shorter_than_head_said(
    web: Web, tmp_path: Path
) -> None:
    uri = web.put("/a.fgb", BODY)
    with remote(uri, None, DEFAULTS) as found:
        web.put("/a.fgb", BODY[:-1], etag="", modified=None, lengthless=True)
        message = rf"{len(BODY) - 1} of {len(BODY)} bytes came"
        with pytest.raises(SourceLostError, match=message):
            found.fetch(tmp_path)


def test_a_file_that_is_removed_while_it_is_read(web: Web, tmp_path: Path) -> None:
    uri = web.put("/a.fgb", BODY, then=Resource(statuses=[404] * 9))
    with pytest.raises(SourceLostError, match=r"a.fgb disappeared while it was read"):
        fetch(uri, tmp_path)


def test_a_server_with_a_name_in_other_letters(
    web: Web, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    known_as(monkeypatch, "xn--bcher-kva.example", "127.0.0.1")
    uri = web.put("/a.fgb", BODY).replace("127.0.0.1", "bücher.example")
    assert fetch(uri, tmp_path) == {"a.fgb": BODY}
    assert web.asked[0][2]["host"].startswith("xn--bcher-kva.example:")


# Redirects, addresses, credentials


def test_a_redirect_is_followed_and_the_name_stays(web: Web, tmp_path: Path) -> None:
    web.put("/store/0815", BODY)
    uri = web.put("/a.fgb", b"", redirect="/store/0815")
    assert fetch(uri, tmp_path) == {"a.fgb": BODY}


def test_a_circle_of_redirects_ends(web: Web, tmp_path: Path) -> None:
    with pytest.raises(SourceError, match="more than 5 redirects"):
        fetch(web.put("/a.fgb", b"", redirect="/a.fgb"), tmp_path)


@pytest.mark.parametrize(
    ("target", "message"),
    [
        ("file:///etc/passwd", "a redirect leads to a URL that cannot be read"),
        ("/out/secret.fgb", "a redirect is refused: .* outside of the allowed sources"),
        ("s3://bucket/a", "a redirect leads from http to s3"),
        ("/in/../out/secret.fgb", "a redirect"),
        ("/in/%2e%2e/out/secret.fgb", ".. cannot be part of the path"),
    ],
)
def test_a_redirect_does_not_lead_out(web: Web, tmp_path: Path, target: str, message: str) -> None:
    web.put("/out/secret.fgb", b"secret")
    uri = web.put("/in/a.fgb", b"", redirect=target)
    with pytest.raises(SourceError, match=message):
        fetch(uri, tmp_path, allowed=[f"{web.url}/in"])
    assert all("out" not in path for _, path, _ in web.asked)


@pytest.mark.parametrize("allowed", [[], ["/"], ["https://127.0.0.1"], ["http://127.0.0.1/x"]])
def test_what_is_not_listed_is_not_asked_for(web: Web, tmp_path: Path, allowed: list[str]) -> None:
    uri = web.put("/in/a.fgb", BODY)
    for entries in (allowed, [f"{web.url}/i"], [f"{web.url}/in/b"]):
        with pytest.raises(SourceError, match="outside of the allowed sources"):
            fetch(uri, tmp_path, allowed=entries)
    assert web.asked == []


def known_as(monkeypatch: pytest.MonkeyPatch, name: str, address: str) -> None:
    real = socket.getaddrinfo

    def found(host: str, *rest: object, **how: object) -> object:
        return real(address if host == name else host, *rest, **how)

    monkeypatch.setattr(addresses.socket, "getaddrinfo", found)


def test_a_name_that_means_this_machine_is_refused_when_sources_are_listed(
    web: Web, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    known_as(monkeypatch, "data.example", "127.0.0.1")
    web.put("/a.fgb", BODY)
    url = web.url.replace("127.0.0.1", "data.example")
    with pytest.raises(SourceError, match=r"data.example is a loopback address"):
        fetch(f"{url}/a.fgb", tmp_path, allowed=[url])
    assert web.asked == []
    assert fetch(f"{url}/a.fgb", tmp_path) == {"a.fgb": BODY}
    assert web.asked[0][2]["host"] == url.removeprefix("http://")


def test_a_listed_address_is_read(web: Web, tmp_path: Path) -> None:
    assert fetch(web.put("/d/a.fgb", BODY), tmp_path, allowed=[f"{web.url}/d/"])


def test_without_a_list_a_redirect_from_elsewhere_does_not_lead_to_this_machine(
    web: Web, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    known_as(monkeypatch, "data.example", "127.0.0.1")
    web.put("/inner.fgb", b"secret")
    web.put("/a.fgb", b"", redirect=f"{web.url}/inner.fgb")
    uri = web.url.replace("127.0.0.1", "data.example") + "/a.fgb"
    with pytest.raises(SourceError, match=r"127.0.0.1 is a loopback address"):
        fetch(uri, tmp_path)
    assert "/inner.fgb" not in {path for _, path, _ in web.asked}


def test_the_judged_address_is_the_one_that_is_asked(
    web: Web, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A name that means another machine a moment later leads nowhere."""
    answers = iter(["203.0.113.9", *["127.0.0.1"] * 9])
    real = socket.getaddrinfo
    monkeypatch.setattr(
        addresses.socket, "getaddrinfo", lambda _host, port, **how: real(next(answers), port, **how)
    )
    asked: list[str] = []

    def refused(_self: object, request: object) -> None:
        asked.append(str(request.url))  # type: ignore[attr-defined]
        raise httpx2.ReadError("not in a test")

    monkeypatch.setattr(httpx2.HTTPTransport, "handle_request", refused)
    with pytest.raises(SourceError, match="loopback"):
        fetch("http://rebound.example/a.fgb", tmp_path, allowed=["http://rebound.example"])
    assert asked == ["http://203.0.113.9/a.fgb"]


def test_user_and_password_go_to_their_server_only(web: Web, tmp_path: Path) -> None:
    with_login = web.put("/a.fgb", BODY).replace("http://", "http://me:se%40cret@")
    fetch(with_login, tmp_path)
    assert {h.get("authorization") for _, _, h in web.asked} == {"Basic bWU6c2VAY3JldA=="}


def test_a_redirect_to_another_server_takes_no_password(web: Web, tmp_path: Path) -> None:
    with serving() as other:
        target = other.put("/a.fgb", BODY)
        uri = web.put("/a.fgb", b"", redirect=target).replace("http://", "http://me:secret@")
        assert fetch(uri, tmp_path) == {"a.fgb": BODY}
        assert all("authorization" not in h for _, _, h in other.asked)


def test_nothing_secret_is_logged_or_said(
    web: Web,
    tmp_path: Path,
    caplog: pytest.LogCaptureFixture,
    capfd: pytest.CaptureFixture[str],
) -> None:
    uri = web.put("/a.fgb", BODY, statuses=[500, 500]).replace("http://", "http://me:hidden1@")
    with caplog.at_level(logging.DEBUG):
        fetch(f"{uri}?sig=hidden2", tmp_path)
        web.put("/a.fgb", BODY, statuses=[500] * 9)
        with pytest.raises(SourceError) as failed:
            fetch(f"{uri}?sig=hidden2", tmp_path)
    said = caplog.text + "".join(capfd.readouterr())
    assert "hidden" not in said + str(failed.value) + repr(failed.value.__cause__)


def test_a_url_without_a_file_is_refused(web: Web, tmp_path: Path) -> None:
    for path in ("", "/", "/folder/"):
        with pytest.raises(SourceError, match="the path must end in a file name"):
            fetch(f"{web.url}{path}", tmp_path)


@pytest.mark.parametrize("name", ["%2e.hidden.fgb", "a%2Fb.fgb", "a%00.fgb"])
def test_a_hostile_name_writes_nothing(web: Web, tmp_path: Path, name: str) -> None:
    uri = web.put(f"/{name}", BODY)
    with pytest.raises(SourceError):
        fetch(uri, tmp_path)
    assert list(tmp_path.iterdir()) == []


def test_the_certificate_is_that_of_the_name_and_not_of_the_address(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    known_as(monkeypatch, "data.example", "127.0.0.1")
    known_as(monkeypatch, "other.example", "127.0.0.1")
    tls, trusted = certified("data.example", tmp_path)
    folder = tmp_path / "out"
    folder.mkdir()
    monkeypatch.setenv("SSL_CERT_FILE", str(trusted))
    with serving(tls) as web:
        web.put("/a.fgb", BODY)
        port = web.server_address[1]
        assert fetch(f"https://data.example:{port}/a.fgb", folder) == {"a.fgb": BODY}
        for host in ("other.example", "127.0.0.1"):
            with pytest.raises(SourceUnreachableError, match=r"(?i)certificate"):
                fetch(f"https://{host}:{port}/a.fgb", folder)
        monkeypatch.setattr(addresses, "special", lambda _address: None)
        # Where a redirect leads, the certificate is judged anew.
        web.put("/b.fgb", b"", redirect=f"https://other.example:{port}/a.fgb")
        with pytest.raises(SourceUnreachableError, match=r"(?i)certificate"):
            fetch(f"https://data.example:{port}/b.fgb", folder)
