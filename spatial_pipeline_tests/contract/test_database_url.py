from __future__ import annotations

from urllib.parse import quote

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from spatial_pipeline.contract.database_url import admit, is_database, parse, redacted, redacted_all
from spatial_pipeline.errors import SourceError

SECRET = "postgresql://ann:s3cr%21t@db.example:6543/gis?sslmode=require&table=a.b"


def test_tells_databases_from_files() -> None:
    assert is_database("postgresql:")
    assert is_database("postgres://h/d")
    assert not is_database("postgresql/data.gpkg")
    assert not is_database("counties.geojson")


def test_shows_neither_user_nor_password_nor_parameters() -> None:
    assert redacted(SECRET) == "postgresql://db.example:6543/gis?table=a.b"
    assert redacted("postgresql:") == "postgresql:"
    assert redacted("postgresql:?table=gis.x") == "postgresql:?table=gis.x"
    assert redacted("x.gpkg?password=1") == "x.gpkg?password=1"
    address = parse(SECRET, None)
    assert "s3cr" not in repr(address)
    assert "s3cr" not in str(address.place)


def test_redacts_inside_of_a_rule() -> None:
    rule = {"other": {"uri": SECRET, "layer": None}, "others": [SECRET], "tolerance": 1.5}
    shown = "postgresql://db.example:6543/gis?table=a.b"
    assert redacted_all(rule) == {
        "other": {"uri": shown, "layer": None},
        "others": [shown],
        "tolerance": 1.5,
    }


def test_scrubs_the_password_in_both_spellings() -> None:
    address = parse(SECRET, None)
    assert address.scrubbed("for s3cr!t and s3cr%21t") == "for *** and ***"


@settings(max_examples=60, deadline=None)
@given(st.text(st.characters(codec="utf-8", exclude_categories=["C"]), min_size=4, max_size=20))
def test_no_password_survives_redaction(password: str) -> None:
    secret = "x!" + password
    uri = f"postgresql://u:{quote(secret, safe='')}@h/d?table=s.t&password={quote(secret, safe='')}"
    assert redacted(uri) == "postgresql://h/d?table=s.t"
    assert secret not in parse(uri, None).scrubbed(f"refused {secret}")


def test_keeps_what_is_needed_to_connect() -> None:
    address = parse(SECRET, None)
    assert address.dsn == "postgresql://ann:s3cr%21t@db.example:6543/gis?sslmode=require"
    assert address.place.table == "a.b"
    assert address.place.hosts == ("db.example:6543",)
    configured = parse("postgresql:?table=a.b", "postgresql://u:p@h/d")
    assert configured.dsn == "postgresql://u:p@h/d"
    assert configured.configured
    assert configured.place.hosts == ("h:5432",)


@pytest.mark.parametrize(
    ("uri", "said"),
    [
        ("postgresql:", "SPATIAL_DATABASE_URL, which is not set"),
        ("postgresql:gis.x", "write postgresql:"),
        ("postgresql:?host=evil", "takes the parameter table only"),
        ("postgresql://h/d?host=evil", "host is given twice"),
        ("postgresql://h/d?dbname=other", "dbname is given twice"),
        ("postgresql:///d?service=evil", "service is not supported"),
        ("postgresql://[h/d", "cannot be parsed"),
    ],
)
def test_refuses_what_leads_elsewhere(uri: str, said: str) -> None:
    with pytest.raises(SourceError, match=said):
        parse(uri, None)


def test_an_entry_means_the_same_whatever_the_environment(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    address = parse("postgresql://h/d", None)
    monkeypatch.setenv("PGDATABASE", "another")
    admit(address, "a.b", ["postgresql://h"])
    monkeypatch.setenv("PGHOST", "inner")
    with pytest.raises(SourceError, match="SPATIAL_ALLOWED_SOURCES"):
        admit(parse("postgresql:///d", None), "a.b", ["postgresql://h/d"])


@pytest.mark.parametrize(
    ("uri", "table", "entry", "admitted"),
    [
        ("postgresql:///d", "a.b", "postgresql://h/d", False),
        ("postgresql:///d", "a.b", "postgresql:///d", True),
        ("postgresql://%2Frun%2Fpg/d", "a.b", "postgresql:///d?host=/run/pg", True),
        ("postgresql://h,h2/d", "a.b", "postgresql://h,h2,h3/d", True),
        ("postgresql://u:p@h/d", "a.b", "postgresql://h/d", True),
        ("postgresql://u:p@h:5432/d", "a.b", "postgresql://h/d", True),
        ("postgresql://H/d", "a.b", "postgres://h", True),
        ("postgresql://h/d2", "a.b", "postgresql://h/d", False),
        ("postgresql://h:5433/d", "a.b", "postgresql://h/d", False),
        ("postgresql://h.evil/d", "a.b", "postgresql://h", False),
        ("postgresql://h,evil/d", "a.b", "postgresql://h/d", False),
        ("postgresql:///d?host=evil", "a.b", "postgresql://h/d", False),
        ("postgresql://h@evil/d", "a.b", "postgresql://h/d", False),
        ("postgresql://h/d", "a.b", "postgresql://h/d?table=a.b", True),
        ("postgresql://h/d", "a.b2", "postgresql://h/d?table=a.b", False),
        ("postgresql://h/d", None, "postgresql://h/d?table=a.b", False),
        ("postgresql://h/d", "a.b", "postgresql:", False),
        ("postgresql:", "a.b", "postgresql:", True),
        ("postgresql:", "a.b", "postgresql://configured/d", True),
        ("postgresql:", "a.b", "data", False),
        ("postgresql:", "a.b", "postgresql://[broken", False),
    ],
)
def test_admits_what_an_entry_names(
    uri: str, table: str | None, entry: str, admitted: bool
) -> None:
    address = parse(uri, "postgresql://u:p@configured/d")
    if admitted:
        admit(address, table, [entry])
    else:
        with pytest.raises(SourceError, match="SPATIAL_ALLOWED_SOURCES"):
            admit(address, table, [entry])
    admit(address, table, None)
