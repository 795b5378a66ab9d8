"""URLs of contracts: taken apart, shown without secrets, admitted or refused."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from pydantic import ValidationError

from spatial_pipeline.contract import remote_url
from spatial_pipeline.contract.database_url import redacted
from spatial_pipeline.contract.remote_url import RemoteUrl, admit, mistake, parse
from spatial_pipeline.contract.rules.base import OtherSource
from spatial_pipeline.contract.source import Source
from spatial_pipeline.errors import SourceError


@pytest.mark.parametrize(
    ("uri", "expected"),
    [
        ("https://example.org/a/b%20c.shp", ("https", "example.org", 443, "b c.shp", None)),
        ("HTTP://Example.ORG:8080/a.fgb?x=1", ("http", "example.org", 8080, "a.fgb", None)),
        ("https://u:p@h.org./a.zip!in/b.shp", ("https", "h.org", 443, "a.zip", "in/b.shp")),
        ("https://e.org/a.zip?sig=1.zip!b.shp", ("https", "e.org", 443, "a.zip", "b.shp")),
        ("http://[::1]:80/a.tif", ("http", "::1", 80, "a.tif", None)),
        ("https://bücher.example/a.tif", ("https", "xn--bcher-kva.example", 443, "a.tif", None)),
        ("s3://bucket/a/b c%20.tif", ("s3", "bucket", None, "b c%20.tif", None)),
        ("gs://bucket/a.zip!b.shp", ("gs", "bucket", None, "a.zip", "b.shp")),
        ("az://container/a?b.tif", ("az", "container", None, "a?b.tif", None)),
        ("s3://bucket", ("s3", "bucket", None, "", None)),
    ],
)  # fmt: skip
def test_the_parts_of_a_url(uri: str, expected: tuple[Any, ...]) -> None:
    found = parse(uri)
    assert (found.scheme, found.host, found.port, found.name, found.member) == expected


@pytest.mark.parametrize(
    ("uri", "shown"),
    [
        ("https://me:secret@h.org/a.shp", "https://h.org/a.shp"),
        ("https://h.org/a.shp?sig=secret&x=1", "https://h.org/a.shp?***"),
        ("https://h.org/a.zip?sig=secret!in.shp", "https://h.org/a.zip?***"),
        ("https://h.org/a.zip?sig=secret.zip!in.shp", "https://h.org/a.zip?***!in.shp"),
        ("https://h.org?sig=secret/x", "https://h.org/x"),
        ("https://h.org/a#secret", "https://h.org/a"),
        ("https://me:sec/ret@h.org/a", "https://***"),
        ("s3://id:secret@bucket/a", "s3://bucket/a"),
        ("postgresql://me:secret@h/db", "postgresql://h/db"),
        ("a/b@c.shp", "a/b@c.shp"),
    ],
)
def test_what_is_shown_holds_no_secret(uri: str, shown: str) -> None:
    assert redacted(uri) == shown
    assert redacted(shown) == shown


@given(
    st.text("ab:/@?#%.!", max_size=12),
    st.sampled_from(["https://me:{}secret@h.org/a.zip", "https://h.org/a?{}=secret"]),
)
@settings(deadline=None, max_examples=200)
def test_no_message_holds_a_secret(noise: str, pattern: str) -> None:
    uri = pattern.format(noise)
    assert "secret" not in str(mistake(uri))
    said = ""
    try:
        said = repr(parse(uri))
    except SourceError as exc:
        said = str(exc)
    assert "secret" not in said


@pytest.mark.parametrize(
    ("uri", "message"),
    [
        ("htps://example.org/a.shp", "unknown scheme 'htps:'; did you mean 'https:'?"),
        ("S3A://bucket/a.shp", "unknown scheme 'S3A:'; did you mean 's3:'?"),
        ("abfss://bucket/a.shp", "unknown scheme 'abfss:'; did you mean 'az:'?"),
        ("gcs://bucket/a.shp", "unknown scheme 'gcs:'; did you mean 'gs:'?"),
        ("postgressql://host/db", "unknown scheme 'postgressql:'; did you mean 'postgresql:'?"),
        ("ftp://example.org/a", "unknown scheme 'ftp:'"),
        ("PG:dbname=x", "unknown scheme 'PG:'"),
        ("https:/example.org/a.shp", "write https:// and then the address"),
        ("s3:bucket/a.shp", "write s3:// and then the address"),
        ("file:///etc/passwd", "write the path itself, without file:"),
        ("/vsicurl/http://h/a.shp", "GDAL's virtual paths are not supported"),
        ("https:///a.shp", "a server name must follow"),
        ("https://{partition}/a.shp", "a server name must follow"),
        ("https://h.org:port/a.shp", "the URL cannot be parsed"),
        ("https://[::1/a.shp", "the URL cannot be parsed"),
        ("https://h.org/a b.shp", "write blanks and control characters as %20"),
        ("https://h.org/a\nb.shp", "write blanks and control characters as %20"),
        ("https://h.org/../a.shp", ".. cannot be part of the path"),
        ("https://h.org/x/%2e%2E/a.shp", ".. cannot be part of the path"),
        ("https://h.org\\@evil.org/a.shp", "a server name must follow"),
        ("s3:///a.shp", "a bucket name must follow"),
        ("s3://id:key@bucket/a.shp", "credentials belong in the environment"),
        ("s3://bucket/../a.shp", "cannot be part of the path"),
        ("s3://bucket/a//b.shp", "cannot be part of the path"),
        ("s3://{partition}/a.shp", "a bucket name must follow"),
    ],
)
def test_what_no_source_can_be_is_a_mistake_of_the_contract(uri: str, message: str) -> None:
    assert message in str(mistake(uri))
    with pytest.raises(ValidationError):
        Source(uri=uri)
    with pytest.raises(ValidationError):
        OtherSource(uri=uri)


@pytest.mark.parametrize(
    "uri",
    ["a.shp", "C:/a.shp", "../a.shp", "/d/a.zip!b:c", "package://earthpy/a", "postgresql:",
     "https://h.org/{partition}.shp?x={partition}", "s3://b/{partition}/a.shp", "gs://b/a", "a b"],
)  # fmt: skip
def test_what_may_be_a_source_is_none(uri: str) -> None:
    assert mistake(uri) is None


@pytest.mark.parametrize(
    ("uri", "entry", "admitted"),
    [
        ("https://h.org/a/b.shp", "https://h.org", True),
        ("https://h.org/a/b.shp", "https://h.org/", True),
        ("https://h.org/a/b.shp", "https://h.org:443/a", True),
        ("https://h.org/a/b.shp", "https://H.ORG/a/", True),
        ("https://h.org/a/b.shp", "https://h.org/a/b.shp", True),
        ("https://h.org/%61/b.shp", "https://h.org/a", True),
        ("https://me:pw@h.org/a/b.shp", "https://h.org/a", True),
        ("https://h.org/a/b.shp", "https://h.org/a/b", False),
        ("https://h.org/ab.shp", "https://h.org/a", False),
        ("https://h.org/a.shp", "http://h.org", False),
        ("https://h.org/a.shp", "https://h.org:8443", False),
        ("https://h.org.evil.org/a.shp", "https://h.org", False),
        ("https://h.org@evil.org/a.shp", "https://h.org", False),
        ("https://evil.org/https://h.org/a.shp", "https://h.org", False),
        ("https://x.h.org/a.shp", "https://h.org", False),
        ("s3://b/a/c.shp", "s3://b/a", True),
        ("s3://b/a/c.shp", "s3://b", True),
        ("s3://b/ab.shp", "s3://b/a", False),
        ("s3://bb/a.shp", "s3://b", False),
        ("s3://b/a.shp", "gs://b", False),
        ("s3://b/a.shp", "/", False),
        ("s3://b/a.shp", "s3://", False),
    ],
)
def test_what_an_entry_admits(uri: str, entry: str, admitted: bool) -> None:
    if admitted:
        admit(parse(uri), [entry])
    else:
        with pytest.raises(SourceError, match="outside of the allowed sources"):
            admit(parse(uri), [entry])


def test_addresses_are_told_from_names() -> None:
    def named(host: str) -> RemoteUrl:
        return parse(f"http://{host}/a")

    for host in ("localhost", "127.0.0.1", "[::1]", "169.254.169.254"):
        assert remote_url.names_an_address(named(host)), host
    for host in ("example.org", "127.1", "localhost.example.org", "2130706433"):
        assert not remote_url.names_an_address(named(host)), host
