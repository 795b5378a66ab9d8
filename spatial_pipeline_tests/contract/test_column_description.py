"""``columns``: descriptions and units, with the line of every mistake."""

from __future__ import annotations

from pathlib import Path

import pytest

from spatial_pipeline.contract.column_description import ColumnDescription
from spatial_pipeline.contract.load import load
from spatial_pipeline.errors import ContractError

CONTRACT = """\
type: spatial_pipeline.VectorDataset
attributes:
  name: towns
  source: {uri: towns.gpkg}
  columns:
    population: {description: Inhabitants on 1 January, unit: persons}
    area:
      unit: km²
"""


def written(folder: Path, text: str) -> Path:
    path = folder / "towns.yaml"
    path.write_text(text)
    return path


def test_text() -> None:
    assert ColumnDescription(description="Area", unit="km²").text == "Area [km²]"
    assert ColumnDescription(unit="km²").text == "[km²]"
    assert ColumnDescription().text == ""


def test_a_column_that_the_data_spell_otherwise(tmp_path: Path) -> None:
    (contract,) = load(written(tmp_path, CONTRACT))
    assert contract.column_mistakes(["population", "area"]) == []
    # Nothing is like it in the data: they lack it, which no description forbids.
    assert contract.column_mistakes(["population", "geom"]) == []
    (mistake,) = contract.column_mistakes(["populaton", "area"])
    assert str(mistake).endswith(
        "towns.yaml:6: columns: the data have no column 'population'; did you mean 'populaton'?"
    )


@pytest.mark.parametrize(
    ("old", "new", "said"),
    [
        (
            "unit: persons",
            "units: persons",
            "6: columns.population: unknown key 'units'; did you mean 'unit'?",
        ),
        ("unit: km²", "unit: ''", "8: columns.area.unit: "),
        ("      unit: km²", "      - km²", "columns.area: "),
        ("VectorDataset", "RasterDataset", "5: unknown key 'columns'"),
    ],
)
def test_mistakes(tmp_path: Path, old: str, new: str, said: str) -> None:
    with pytest.raises(ContractError) as raised:
        load(written(tmp_path, CONTRACT.replace(old, new)))
    assert said in str(raised.value)


def test_what_is_described_changes_no_verdict(tmp_path: Path) -> None:
    (described,) = load(written(tmp_path, CONTRACT))
    (bare,) = load(written(tmp_path, CONTRACT.split("  columns:")[0]))
    assert described.rules_hash == bare.rules_hash
    assert described.source.ingest_key == bare.source.ingest_key
