"""Numbers and names that people read in the Dagster UI."""

from __future__ import annotations

import dagster as dg
import pytest

from spatial_pipeline.model.violation import Violation
from spatial_pipeline.orchestration import metadata


@pytest.mark.parametrize(
    ("value", "digits", "shown"),
    [
        (1603607.55167924, 10, 1603607.552),
        (-105.91250000000001, 10, -105.9125),
        (0.010680370747468606, 6, 0.0106804),
        (541751.123, 6, 541751.0),
        (float("inf"), 6, float("inf")),
        (0.0, 6, 0.0),
        (None, 6, None),
    ],
)
def test_digits_that_mean_nothing_are_left_out(
    value: float | None, digits: int, shown: float | None
) -> None:
    assert metadata._rounded(value, digits) == shown


def test_a_violation_without_a_place() -> None:
    nowhere = Violation((), "null geometry", None, None, "")
    assert [metadata._coordinate(nowhere, axis) for axis in (0, 1)] == [None, None]


@pytest.mark.parametrize("value", [float("inf"), float("-inf"), float("nan")])
def test_a_measure_that_json_cannot_hold_is_text(value: float) -> None:
    shown = metadata._measure(value)
    assert isinstance(shown, dg.TextMetadataValue)
    assert shown.text in {"Infinity", "-Infinity", "NaN"}
