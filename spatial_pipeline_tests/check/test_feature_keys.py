"""Keys of violations are the values of the source, in every output."""

from __future__ import annotations

import json
from decimal import Decimal
from pathlib import Path

import geopandas as gpd
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
import shapely
from typer.testing import CliRunner

from spatial_pipeline.check.feature_keys import keyed
from spatial_pipeline.cli import app
from spatial_pipeline.model.result import key_text, keys_text
from spatial_pipeline.model.violations import Violations
from spatial_pipeline_tests.support import memory_vector


def number(value: int, kind: pa.DataType) -> pa.Array:
    storage = pa.int32() if pa.types.is_date32(kind) else pa.int64()
    return pa.array([value], storage).cast(kind)


KEYS = {
    "decimal": (pa.array([Decimal("12345678901234567890.10")]), "12345678901234567890.10"),
    "zero": (pa.array([Decimal(0)], pa.decimal128(30, 12)), "0.000000000000"),
    "int64": (pa.array([2**53 + 1]), 2**53 + 1),
    "uint64": (pa.array([2**64 - 1], pa.uint64()), 2**64 - 1),
    "before": (number(-2_440_588, pa.date32()), "-4713-11-24"),
    "behind": (number(2**31 - 1, pa.date32()), "5881580-07-11"),
    "stamp": (number(2**63 - 1, pa.timestamp("us")), "294247-01-10T04:00:54.775807"),
    "nano": (number(1, pa.timestamp("ns", "UTC")), "1970-01-01T00:00:00.000000001+00:00"),
    "clock": (number(1, pa.time64("ns")), "00:00:00.000000001"),
    "span": (number(90_000_000, pa.duration("us")), "PT90S"),
    "bytes": (pa.array([b"\x00\xff"]), "\\x00ff"),
    "infinite": (pa.array([float("inf")]), "Infinity"),
    "list": (pa.array([[1, None]]), [1, None]),
    "null": (pa.array([None], pa.date32()), None),
}


@pytest.mark.parametrize("name", KEYS)
def test_a_key_is_the_value_of_the_source(name: str) -> None:
    column, expected = KEYS[name]
    data = memory_vector([shapely.Point(0, 0)], {"k": column})
    found = keyed(Violations.build([0], ["bad"]), data, ("k",))
    assert found.keys is not None
    assert found.keys[0] == ((expected,),)
    assert json.loads(json.dumps(found.keys[0])) == [[expected]]


def test_keys_for_people() -> None:
    assert key_text(("a", 2**53 + 1, True, [1, None])) == "a/9007199254740993/true/[1, null]"
    assert keys_text((("a",), ("b", 1))) == "a, b/1"


def test_a_check_tells_extreme_keys_in_all_its_files(tmp_path: Path) -> None:
    names = ["decimal", "int64", "before", "stamp"]
    frame = gpd.GeoDataFrame({"id": [1]}, geometry=[shapely.from_wkt("LINESTRING (0 0, 0 0)")])
    frame.to_parquet(tmp_path / "plain.parquet")
    table = pq.read_table(tmp_path / "plain.parquet")
    for name in names:
        table = table.append_column(name, KEYS[name][0])
    pq.write_table(table, tmp_path / "lines.parquet")
    contract = tmp_path / "lines.yaml"
    contract.write_text(
        "type: spatial_pipeline.VectorDataset\nattributes:\n  name: lines\n"
        f"  source: {{uri: lines.parquet}}\n  key: [{', '.join(names)}]\n"
        "  rules: [{rule: valid_geometry}, {rule: unique, columns: [before, stamp]}]\n"
    )
    files = {n: tmp_path / n for n in ("r.html", "v.gpkg", "r.sarif", "q.gpkg")}
    asked = ["--json", "--html", str(files["r.html"]), "--violations", str(files["v.gpkg"]),
             "--sarif", str(files["r.sarif"]), "--quarantine", str(files["q.gpkg"])]  # fmt: skip
    outcome = CliRunner().invoke(app, ["check", str(contract), *asked])
    assert outcome.exit_code == 1, outcome.output
    expected = [KEYS[n][1] for n in names]
    shown = "12345678901234567890.10/9007199254740993/-4713-11-24/294247-01-10T04:00:54.775807"
    (result,) = [
        r
        for r in json.loads(outcome.stdout)["datasets"][0]["results"]
        if r["name"] == "valid_geometry"
    ]
    assert result["sample"][0]["keys"] == [expected]
    assert shown in files["r.html"].read_text()
    sarif = json.loads(files["r.sarif"].read_text())["runs"][0]["results"]
    assert sarif[0]["properties"]["keys"] == [expected]
    assert json.loads(gpd.read_file(files["v.gpkg"], layer="violations")["keys"][0]) == [expected]
    kept = gpd.read_file(files["q.gpkg"]).iloc[0]
    assert [kept[n] for n in names] == expected
