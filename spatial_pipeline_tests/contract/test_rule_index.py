"""Looking up a rule without importing the models of all."""

from __future__ import annotations

import subprocess
import sys

import pytest

from spatial_pipeline.contract import rule_index
from spatial_pipeline.contract.rules import CATALOGUE, catalogue
from spatial_pipeline.contract.rules.catalogue import Catalogue
from spatial_pipeline.contract.rules.metadata import Crs


def test_a_rule_that_the_index_does_not_know_is_found_among_all(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    known = {k: v for k, v in rule_index.rule_index().items() if k != "crs"}
    monkeypatch.setattr(catalogue, "rule_index", lambda: known)
    found = Catalogue()
    assert found["crs"] is Crs
    assert list(found) == list(CATALOGUE)


def test_an_index_that_names_another_module_does_no_harm(monkeypatch: pytest.MonkeyPatch) -> None:
    wrong = rule_index.RuleSummary("crs", "spatial_pipeline.contract.rules.keys",
                                   Crs.family, ("vector",), "")  # fmt: skip
    monkeypatch.setattr(catalogue, "rule_index", lambda: {"crs": wrong})
    assert Catalogue()["crs"] is Crs


def test_no_rule_has_another_name() -> None:
    assert CATALOGUE.get("no_such_rule") is None
    assert "no_such_rule" not in CATALOGUE
    with pytest.raises(KeyError):
        CATALOGUE["no_such_rule"]


def test_the_summaries_are_those_of_the_models() -> None:
    assert rule_index.every_rule() == [
        rule_index.summary_of(identity, model) for identity, model in CATALOGUE.items()
    ]


def test_one_rule_imports_its_module_only() -> None:
    code = (
        "import sys; from spatial_pipeline.contract.rules import CATALOGUE;"
        "CATALOGUE['crs'];"
        "print([m for m in ('metadata', 'parity', 'pixels', 'vertices')"
        " if f'spatial_pipeline.contract.rules.{m}' in sys.modules])"
    )
    done = subprocess.run(
        [sys.executable, "-c", code], capture_output=True, text=True, check=True, timeout=120
    )
    assert done.stdout.strip() == "['metadata']"
