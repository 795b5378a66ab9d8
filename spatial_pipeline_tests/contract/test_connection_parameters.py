"""Every parameter that libpq knows is honoured, mapped, or refused by its name."""

from __future__ import annotations

import socket
from pathlib import Path

import psycopg2.extensions
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from spatial_pipeline.contract.connection_parameters import (
    ConnectionParameters,
    completed,
    connection_parameters,
    parsed,
)
from spatial_pipeline.contract.database_url import parse
from spatial_pipeline.errors import SourceError


@pytest.fixture(autouse=True)
def no_environment(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setenv("PGSYSCONFDIR", str(tmp_path / "nowhere"))
    monkeypatch.setenv("PGSERVICEFILE", str(tmp_path / "services"))


def of(dsn: str, *, trusted: bool = False) -> ConnectionParameters:
    return connection_parameters(completed(parsed(dsn), trusted=trusted), "app")


def test_hosts_ports_sockets_and_percent_encoding() -> None:
    found = of("postgresql://us%20er:p%40ss@h1:1,[::1],%2Frun%2Fpg/data%2Fbase")
    assert found.hosts == (("h1", 1), ("::1", 5432), ("/run/pg", 5432))
    assert (found.user, found.password, found.database) == ("us er", "p@ss", "data/base")
    assert of("postgresql:///d?host=/a,b&port=7").hosts == (("/a", 7), ("b", 7))
    assert of("host=a,b port=1,2 dbname='x y'").hosts == (("a", 1), ("b", 2))
    assert of("postgresql:///d?port=9").port == 9
    assert "p@ss" not in repr(found)


def test_what_is_honoured() -> None:
    found = of(
        "postgresql://h/d?connect_timeout=3&target_session_attrs=standby&load_balance_hosts=random"
        "&application_name=mine&options=-c%20search_path%3Da&sslmode=verify-full&sslrootcert=r.crt"
        "&sslnegotiation=direct&passfile=/p&krbsrvname=k&keepalives_idle=7&keepalives_interval=8"
        "&keepalives_count=9&tcp_user_timeout=10&client_encoding=latin1&channel_binding=prefer"
        "&gssencmode=disable"
    )
    assert found.timeout_s == 3
    assert found.session == "standby"
    assert found.shuffled
    assert found.settings == {"application_name": "mine", "options": "-c search_path=a"}
    assert found.tls == {"sslmode": "verify-full", "sslrootcert": "r.crt"}
    assert found.direct_tls
    assert found.passfile == "/p"
    assert found.kerberos == {"krbsrvname": "k"}
    tcp = socket.IPPROTO_TCP
    assert set(found.socket_options) == {
        (socket.SOL_SOCKET, socket.SO_KEEPALIVE, 1),
        (tcp, socket.TCP_KEEPIDLE, 7),
        (tcp, socket.TCP_KEEPINTVL, 8),
        (tcp, socket.TCP_KEEPCNT, 9),
        (tcp, socket.TCP_USER_TIMEOUT, 10),
    }
    assert of("postgresql://h/d?keepalives=0").socket_options == ()
    assert of("postgresql://h/d").settings == {"application_name": "app"}
    assert of("postgresql://h/d?connect_timeout=0").timeout_s is None
    assert of("postgresql://h/d?connect_timeout=1").timeout_s == 2
    assert of("postgresql://h/d?sslrootcert=system").tls["sslmode"] == "verify-full"


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("channel_binding=require", "channel_binding=require is not supported"),
        ("gssencmode=require", "gssencmode=require is not supported"),
        ("require_auth=scram-sha-256", "require_auth is not supported"),
        ("requirepeer=postgres", "requirepeer is not supported"),
        ("hostaddr=10.0.0.1", "hostaddr is not supported"),
        ("replication=database", "replication is not supported"),
        ("sslcertmode=disable", "sslcertmode=disable is not supported"),
        ("sslcrldir=/x", "sslcrldir=/x is not supported"),
        ("sslsni=0", "sslsni=0 is not supported"),
        ("gssdelegation=1", "gssdelegation=1 is not supported"),
        ("service=x", "service is not supported"),
        ("sslmode=maybe", "sslmode is 'maybe', must be one of: allow"),
        ("target_session_attrs=writer", "target_session_attrs is 'writer'"),
        ("connect_timeout=soon", "connect_timeout is 'soon', must be a whole number"),
        ("sslmode=require&sslrootcert=system", "too weak for sslrootcert=system"),
        ("sslnegotiation=direct", "needs sslmode=require"),
        ("port=99999", "port '99999' is not a number"),
        ("port=1,2", "port names 2 ports for 1 hosts"),
        ("statement_timeout=5", 'has no such parameter.*"statement_timeout".*options'),
        ("password=s3cret%zz", "cannot be parsed: invalid percent-encoded token"),
    ],
)
def test_what_is_refused_by_name(text: str, said: str) -> None:
    with pytest.raises(SourceError, match=said) as caught:
        of(f"postgresql://h/d?{text}")
    assert "s3cret" not in str(caught.value)


def test_a_parameter_of_a_newer_libpq_is_refused_until_it_means_something() -> None:
    with pytest.raises(SourceError, match="brand_new is not supported"):
        connection_parameters({"brand_new": "1"}, "app")


def test_services_and_the_environment_in_libpqs_order(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    (tmp_path / "services").write_text(
        "# comment\n[gate]\nhost=from-service\nuser=svc\npassword=a=b%c\n[odd]\nservice=gate\n"
    )
    monkeypatch.setenv("PGUSER", "env")
    monkeypatch.setenv("PGCONNECT_TIMEOUT", "4")
    monkeypatch.setenv("PGSSLMODE", "disable")
    found = of("postgresql:///d?service=gate&sslmode=require", trusted=True)
    assert (found.hosts, found.user, found.password) == (
        (("from-service", 5432),), "svc", "a=b%c"
    )  # fmt: skip
    assert found.timeout_s == 4
    assert found.tls == {"sslmode": "require"}
    assert of("postgresql://h/d").user == "env"
    monkeypatch.setenv("PGSERVICE", "gate")
    assert of("dbname=x", trusted=True).hosts == (("from-service", 5432),)
    assert of("postgresql://h/d").hosts == (("h", 5432),)
    for service, said in (("none", "no service 'none'"), ("odd", "names another service")):
        with pytest.raises(SourceError, match=said):
            of(f"service={service}", trusted=True)
    monkeypatch.setenv("PGCHANNELBINDING", "require")
    with pytest.raises(SourceError, match="channel_binding=require"):
        of("postgresql://h/d")


def test_a_host_of_the_environment_is_what_an_entry_must_allow(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setenv("PGHOST", "inner.example")
    assert parse("postgresql:///d", None).place.hosts == ("inner.example:5432",)


NAMES = st.text(st.characters(codec="utf-8", exclude_categories=["C"]), min_size=1, max_size=8)


@settings(max_examples=60, deadline=None)
@given(user=NAMES, password=NAMES, database=NAMES)
def test_a_uri_means_what_it_means_to_libpq(user: str, password: str, database: str) -> None:
    dsn = psycopg2.extensions.make_dsn(host="h", user=user, password=password, dbname=database)
    found = of(dsn)
    assert (found.user, found.password, found.database) == (user, password, database)
