from __future__ import annotations

from typing import Any

import pytest

from spatial_pipeline.contract.models import VectorContract
from spatial_pipeline.contract.partitions import keys_of, partition_mistake


def contract(partitions: dict[str, Any] | None) -> VectorContract:
    uri = "a.gpkg" if partitions is None else "{partition}.gpkg"
    value = {"name": "a", "source": {"uri": uri}, "partitions": partitions}
    return VectorContract.model_validate(value)


@pytest.mark.parametrize(
    ("partitions", "key", "mistake"),
    [
        (None, "x", "a has no partitions: leave out --partition"),
        ({"static": ["north", "south"]}, "north", None),
        (
            {"static": ["north", "south"]},
            "nort",
            "a has no partition 'nort'; did you mean 'north'?",
        ),
        ({"daily": "2026-01-01"}, "2026-01-02", None),
        ({"daily": "2026-01-02"}, "2026-01-01", "a: the first day is 2026-01-02"),
        ({"daily": "2026-01-01"}, "20260102", "a: '20260102' is not a day (YYYY-MM-DD)"),
        ({"daily": "2026-01-01"}, "today", "a: 'today' is not a day (YYYY-MM-DD)"),
        ({"dynamic": "tiles"}, "anything", None),
    ],
)
def test_a_key_is_a_partition_or_it_is_said_why_not(
    partitions: dict[str, Any] | None, key: str, mistake: str | None
) -> None:
    assert partition_mistake(contract(partitions), key) == mistake


def test_only_static_partitions_are_fixed() -> None:
    assert keys_of(contract({"static": ["n", "s"]})) == ("n", "s")
    assert keys_of(contract({"daily": "2026-01-01"})) is None
    assert keys_of(contract({"dynamic": "tiles"})) is None
