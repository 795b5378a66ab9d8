from __future__ import annotations

import pytest
from dagster._utils.schedules import is_valid_cron_string
from hypothesis import example, given, settings
from hypothesis import strategies as st

from spatial_pipeline.contract.cron import cron_mistake

ITEMS = st.one_of(
    st.sampled_from(
        ["*", "*/2", "*/15", "1-5", "5-1", "1-5/2", "7", "0", "L", "jan", "mon-fri", "?"]
    ),
    st.integers(0, 70).map(str),
    st.sampled_from(["*/0", "1,2", "1,,2", "x", "-1", "1-", "30", "31", "dec-feb"]),
)
EXPRESSIONS = st.one_of(
    st.lists(ITEMS, min_size=5, max_size=5).map(" ".join),
    st.lists(ITEMS, min_size=3, max_size=7).map(" ".join),
    st.sampled_from(["@daily", "@Weekly", "@nightly", "@reboot", "", "   "]),
)


@given(EXPRESSIONS)
@settings(max_examples=300, deadline=None)
@example("0 0 30 2 *")
@example("0 0 31 4,6 *")
@example("0 0 * * 7")
@example("* * 30 2 */2")
@example("0 0 30 2 mon-fri")
def test_what_is_accepted_dagster_accepts(expression: str) -> None:
    if cron_mistake(expression) is None:
        assert is_valid_cron_string(expression)


@pytest.mark.parametrize(
    "expression",
    [
        "0 3 * * *",
        "*/15 0-6 1,15 jan-mar mon",
        "0 0 29 2 *",
        "0 0 31 4 mon",
        "@daily",
        "5 4 * * SUN",
    ],
)
def test_usual_expressions_are_right(expression: str) -> None:
    assert cron_mistake(expression) is None
    assert is_valid_cron_string(expression)


@pytest.mark.parametrize(
    ("expression", "words"),
    [
        ("0 25 * * *", "hour '25': 25 is not in 0 to 23"),
        ("0 3 * *", "has 4"),
        ("* * * * * *", "has 6"),
        ("", "has 0"),
        ("@dayly", "did you mean '@daily'?"),
        ("0 3 * * mo", "'mo' is not a number"),
        ("0 3 0 * *", "0 is not in 1 to 31"),
        ("*/0 3 * * *", "a step of 0"),
        ("0 6-3 * * *", "'6-3' runs backwards"),
        ("0 3 31 2 *", "no month has that day"),
        ("0 3 30 2 mon", "no month has that day"),
        ("every night at 3 o", "minute 'every'"),
    ],
)
def test_mistakes_say_what_is_wrong(expression: str, words: str) -> None:
    assert words in (cron_mistake(expression) or "")
