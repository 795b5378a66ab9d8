"""The text is what the specification asks for, whatever labels hold."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from spatial_pipeline.report.openmetrics import Gauge, openmetrics
from spatial_pipeline_tests.report.exposition import parsed


def test_a_family() -> None:
    gauge = Gauge("spatial_published_age_seconds", "Age of what readers see.", "seconds")
    gauge.add(3.5, dataset="roads", partition=None)
    gauge.add(7, dataset='a"b\\c\nd', partition="p1")
    empty = Gauge("spatial_held", "Nothing is.")
    assert openmetrics([gauge, empty]) == (
        "# TYPE spatial_published_age_seconds gauge\n"
        "# UNIT spatial_published_age_seconds seconds\n"
        "# HELP spatial_published_age_seconds Age of what readers see.\n"
        'spatial_published_age_seconds{dataset="roads"} 3.5\n'
        'spatial_published_age_seconds{dataset="a\\"b\\\\c\\nd",partition="p1"} 7\n'
        "# EOF\n"
    )


LABELS = st.dictionaries(st.sampled_from(["dataset", "rule"]), st.text(min_size=1), max_size=2)


@given(
    values=st.lists(st.tuples(LABELS, st.floats(allow_nan=False)), max_size=5),
    words=st.text(max_size=20),
)
def test_everything_is_read_back(values: list[tuple[dict[str, str], float]], words: str) -> None:
    gauge = Gauge("spatial_x", words)
    for labels, value in values:
        gauge.add(value, **labels)
    text = openmetrics([gauge])
    text.encode()
    read = parsed(text)
    assert read.get("spatial_x", []) == [
        ({k: v.encode("utf-8", "replace").decode() for k, v in labels.items()}, value)
        for labels, value in values
    ]
