"""The operations file: all mistakes at once, with line and spelling."""

from __future__ import annotations

from pathlib import Path

import jsonschema
import pytest
import yaml

from spatial_pipeline.contract.json_schema import schema
from spatial_pipeline.contract.load import load, load_project, parse_operations
from spatial_pipeline.contract.operations import OperationsContract
from spatial_pipeline.contract.vocabulary import Severity
from spatial_pipeline.errors import ContractError

RIGHT = """\
type: spatial_pipeline.Operations
attributes:
  alerts:
    routes:
      - {owners: ["team:gis"], severity: error, channels: [gis]}
      - {datasets: ["roads*"], channels: [ops, mail]}
    remind_after: 12h
    digest_above: 5
  inventory: {schedule: "0 6 * * *"}
"""
WRONG = """\
type: spatial_pipeline.Operations
attributes:
  alerts:
    routs: []
    remind_after: tomorrow
    routes:
      - {owners: ["team:gis"], severity: fatal, channels: [gis]}
      - {datasets: ["roads*"]}
    digest_above: 0
  inventory: {schedule: "0 6 * *"}
"""


def test_defaults() -> None:
    operations = parse_operations({})
    assert operations == OperationsContract()
    assert operations.alerts is not None
    assert (operations.alerts.remind_after_s, operations.alerts.digest_above) == (86_400.0, 10)
    assert operations.inventory is not None
    assert parse_operations({"alerts": None, "inventory": None}) == OperationsContract(
        alerts=None, inventory=None
    )


def test_a_right_file(tmp_path: Path) -> None:
    file = tmp_path / "defs.yaml"
    file.write_text(RIGHT)
    value = yaml.safe_load(RIGHT)
    operations = parse_operations(value["attributes"], file)
    assert operations.alerts is not None
    first, second = operations.alerts.routes
    assert (first.owners, first.severity) == (("team:gis",), Severity.ERROR)
    assert second.channels == ("ops", "mail")
    assert operations.alerts.remind_after_s == 12 * 3600
    jsonschema.Draft202012Validator(schema()).validate(value)
    # The command line reads folders in which it stands.
    assert load(file) == []


def test_all_mistakes_at_once(tmp_path: Path) -> None:
    file = tmp_path / "defs.yaml"
    file.write_text(WRONG)
    value = yaml.safe_load(WRONG)
    with pytest.raises(ContractError) as caught:
        parse_operations(value["attributes"], file)
    said = [line.removeprefix(f"{file}:") for line in str(caught.value).splitlines()]
    assert [int(line.split(":")[0]) for line in said] == [4, 5, 7, 8, 9, 10]
    for line, words in zip(
        said,
        ("routes", "remind_after", "severity", "channels", "digest_above", "cron"),
        strict=True,
    ):
        assert words in line
    assert list(jsonschema.Draft202012Validator(schema()).iter_errors(value))
    with pytest.raises(ContractError, match="remind_after"):
        load_project([file])


@pytest.mark.parametrize("written", ["12", "0h", "1y", "-1d", "h"])
def test_times(written: str) -> None:
    with pytest.raises(ContractError, match="remind_after"):
        parse_operations({"alerts": {"remind_after": written}})


def test_no_mapping() -> None:
    with pytest.raises(ContractError, match="expected a mapping"):
        parse_operations([])  # type: ignore[arg-type]
