"""What a contract says about changes of the schema, and its mistakes, all named with their line."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
from pydantic import ValidationError

from spatial_pipeline.contract.load import load
from spatial_pipeline.contract.models import Backfill, VectorContract
from spatial_pipeline_tests.contract.test_load import mistakes, written

PLAIN = """\
type: spatial_pipeline.VectorDataset
attributes:
  name: a
  source: {uri: a.gpkg}
"""
PARTS = """\
type: spatial_pipeline.VectorDataset
attributes:
  name: a
  source: {uri: "{partition}.gpkg"}
  partitions: {static: [x, y]}
"""


def test_what_is_meant_unless_said(tmp_path: Path) -> None:
    (contract,) = load(written(tmp_path, PLAIN))
    assert (contract.on_schema_change, contract.backfill) == ("hold", None)
    assert (Backfill().order, Backfill().at_most) == ("newest", 4)


def test_a_backfill_is_loaded(tmp_path: Path) -> None:
    text = PARTS + "  on_schema_change: backfill\n  backfill: {order: oldest, at_most: 2}\n"
    (contract,) = load(written(tmp_path, text))
    assert contract.backfill == Backfill(order="oldest", at_most=2)


CASES = [
    (
        PLAIN + "  on_schema_change: backfil\n",
        ["5: on_schema_change: expected 'hold', 'accept_additive' or 'backfill', got 'backfil'"],
    ),
    (
        PARTS + "  backfill: {order: latest, at_most: 0, parallel: 2}\n",
        [
            "6: backfill: needs on_schema_change: backfill",
            "6: backfill.order: expected",
            "6: backfill.at_most: ",
            "6: backfill: unknown key 'parallel'",
        ],
    ),
    (
        PLAIN + "  on_schema_change: backfill\n  backfill: {}\n",
        ["6: backfill: the dataset has no partitions; a change is taken by its next run"],
    ),
    (PARTS + "  on_shema_change: hold\n", ["6: unknown key 'on_shema_change'; did you mean"]),
    (
        PARTS + "  on_schema_change: backfill\n  backfill: newest\n",
        ["7: backfill: expected a mapping"],
    ),
]


@pytest.mark.parametrize(("text", "expected"), CASES, ids=range(len(CASES)))
def test_mistakes(tmp_path: Path, text: str, expected: list[str]) -> None:
    found = mistakes(written(tmp_path, text))
    assert len(found) == len(expected), found
    for start in expected:
        assert any(f.startswith(start) for f in found), (start, found)


@pytest.mark.parametrize(
    "wrong",
    [
        {"partitions": {"static": ["x"]}, "source": {"uri": "{partition}"}},
        {"on_schema_change": "backfill"},
    ],
)
def test_contracts_made_in_code_are_judged_too(wrong: dict[str, Any]) -> None:
    with pytest.raises(ValidationError, match="backfill"):
        VectorContract.model_validate(
            {"name": "a", "source": {"uri": "a"}, "backfill": {}, **wrong}
        )
