"""Days and times of whole columns, against Python's own reading of each text."""

from __future__ import annotations

import datetime as dt

import pyarrow as pa
from hypothesis import given
from hypothesis import strategies as st

from spatial_pipeline.ingest.defects import Defects
from spatial_pipeline.ingest.formats.geojson_columns import typed

YEAR = st.sampled_from([0, 1, 4, 1900, 2020, 2023, 9999])
DAY = st.builds("{:04d}-{:02d}-{:02d}".format, YEAR, st.integers(1, 12), st.integers(27, 31))
CLOCK = st.builds(
    "{:02d}:{:02d}:{:02d}{}".format, st.integers(0, 24), st.sampled_from([0, 59]),
    st.sampled_from([0, 59, 60]), st.sampled_from(["", ".5", ".125", ".000001"]),
)  # fmt: skip
ZONE = st.sampled_from(["Z", "+02:00", "-11:30", "+24:00"])
COLUMN = st.one_of(
    st.lists(st.none() | DAY, min_size=1, max_size=4),
    st.lists(st.builds("{}T{}{}".format, DAY, CLOCK, ZONE), min_size=1, max_size=4),
    st.lists(st.none() | st.builds("{} {}".format, DAY, CLOCK), min_size=1, max_size=4),
    st.lists(st.builds("{}T{}{}".format, DAY, CLOCK, ZONE | st.just("")), min_size=2, max_size=4),
)


def moment(text: str) -> dt.date | None:
    """Day, time without zone or time in UTC; None when there is no such."""
    try:
        if len(text) <= len("2020-01-31"):
            return dt.date.fromisoformat(text)
        found = dt.datetime.fromisoformat(text)
        return found if found.tzinfo is None else found.astimezone(dt.UTC)
    except (ValueError, OverflowError):
        return None


@given(COLUMN)
def test_a_column_of_moments_is_what_each_text_says(texts: list[str | None]) -> None:
    found = typed(texts, "t", pa.string(), Defects())
    there = [t for t in texts if t is not None]
    moments = [moment(t) for t in there]
    zones = {isinstance(m, dt.datetime) and m.tzinfo is not None for m in moments}
    if None in moments or len(zones) > 1 or not there:
        assert found.to_pylist() == texts
    else:
        assert [m for m in found.to_pylist() if m is not None] == moments
        assert [m is None for m in found.to_pylist()] == [t is None for t in texts]
