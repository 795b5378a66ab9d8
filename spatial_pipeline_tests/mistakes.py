"""Mistakes that people make, and what they read then.

``python -m spatial_pipeline_tests.mistakes`` makes each of them and prints a table of the messages.
"""

from __future__ import annotations

import re
import sys
import tempfile
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path

import geopandas
import numpy as np
import rasterio
import shapely
from affine import Affine
from typer.testing import CliRunner

from spatial_pipeline.cli import app

HEAD = """\
type: spatial_pipeline.VectorDataset
attributes:
  name: roads
  source: {uri: roads.geojson}
"""
RULE = "  rules:\n    - "
RASTER = """\
type: spatial_pipeline.RasterDataset
attributes:
  name: heights
  source: {uri: heights.tif}
"""
PARTS = """\
type: spatial_pipeline.VectorDataset
attributes:
  name: roads
  source: {uri: "{partition}.geojson"}
  partitions: {static: [north, south]}
"""
CHECK = ("check", "roads.yaml")


@dataclass(frozen=True)
class Slip:
    """One mistake.

    Attributes:
        name: the mistake in a few words.
        words: what the message must contain: the place, the right spelling, the way out.
        contract: content of ``roads.yaml``.
        call: the command.
        files: further files by name.
        environment: variables that are set.
        code: exit code.

    """

    name: str
    words: tuple[str, ...]
    contract: str | bytes = HEAD
    call: tuple[str, ...] = CHECK
    files: Mapping[str, str] = field(default_factory=dict)
    environment: Mapping[str, str] = field(default_factory=dict)
    code: int = 2


def _rule(name: str, rule: str, *words: str, head: str = HEAD, code: int = 2) -> Slip:
    """A mistake in the first rule of a contract; the message names its line."""
    line = (head + RULE).count("\n") + 1
    return Slip(name, (f"roads.yaml:{line}: ", *words), head + RULE + rule + "\n", code=code)


SLIPS = [
    # Keys of a contract.
    Slip(
        "type misspelt",
        ("roads.yaml:1: ", "did you mean 'spatial_pipeline.VectorDataset'"),
        HEAD.replace("VectorDataset", "VectorDatset"),
    ),
    Slip("type missing", ("roads.yaml:1: missing key 'type'",), HEAD.partition("\n")[2]),
    Slip(
        "attributes misspelt",
        ("roads.yaml:2: unknown key 'atributes'", "did you mean 'attributes'"),
        HEAD.replace("attributes", "atributes"),
    ),
    Slip(
        "attributes missing",
        ("roads.yaml:1: missing key 'attributes'",),
        "type: spatial_pipeline.VectorDataset\n",
    ),
    Slip(
        "key of attributes beside them",
        ("roads.yaml:5: unknown key 'key'", "belongs below 'attributes'"),
        HEAD + "key: [road_id]\n",
    ),
    Slip(
        "key misspelt",
        ("roads.yaml:4: unknown key 'sorce'", "did you mean 'source'"),
        HEAD.replace("source", "sorce"),
    ),
    Slip(
        "source missing",
        ("roads.yaml:2: attributes: missing key 'source'",),
        HEAD.replace("  source: {uri: roads.geojson}\n", ""),
    ),
    Slip(
        "source without uri",
        ("roads.yaml:4: source: missing key 'uri'",),
        HEAD.replace("uri: roads.geojson", "layer: roads"),
    ),
    Slip(
        "name with a hyphen",
        ("roads.yaml:3: name: ", "letters, digits and underscores", "write my_roads"),
        HEAD.replace("name: roads", "name: my-roads"),
    ),
    Slip(
        "key that is not a list",
        ("roads.yaml:5: key: expected a list", "[road_id]"),
        HEAD + "  key: road_id\n",
    ),
    Slip(
        "cron expression",
        ("roads.yaml:5: schedule: ", "'0 25 * * *'"),
        HEAD + '  schedule: "0 25 * * *"\n',
    ),
    Slip(
        "time zone",
        ("roads.yaml:5: timezone: ", "did you mean 'Europe/Berlin'"),
        HEAD + "  timezone: Europe/Berln\n",
    ),
    Slip(
        "duration without a unit",
        ("roads.yaml:5: freshness.at_most: ", "26h"),
        HEAD + "  freshness: {at_most: 26}\n",
    ),
    Slip("owner", ("roads.yaml:5: owners: ", "write team:gis"), HEAD + "  owners: [gis]\n"),
    Slip(
        "value of on_schema_change",
        ("roads.yaml:5: on_schema_change: ", "'accept_additive'"),
        HEAD + "  on_schema_change: accept\n",
    ),
    Slip(
        "backfill alone",
        ("roads.yaml:6: backfill: needs on_schema_change: backfill",),
        PARTS + "  backfill: {at_most: 2}\n",
    ),
    Slip(
        "partitions without {partition}",
        ("roads.yaml:4: source.uri: ", "{partition}"),
        PARTS.replace("{partition}", "roads"),
    ),
    Slip(
        "{partition} without partitions",
        ("roads.yaml:4: source.uri: ", "'partitions'"),
        HEAD.replace("roads.geojson", '"{partition}.geojson"'),
    ),
    Slip(
        "first day that is no day",
        ("roads.yaml:5: partitions.daily: ", "YYYY-MM-DD"),
        PARTS.replace("{static: [north, south]}", '{daily: "2026-13-01"}'),
    ),
    Slip(
        "name of a table",
        ("roads.yaml:5: publish.table: ", "schema.table", "public.roads"),
        HEAD + "  publish: {table: roads}\n",
    ),
    Slip(
        "geometry type of a table",
        ("roads.yaml:5: publish.geometry: ", "did you mean 'MultiPolygon'"),
        HEAD + "  publish: {table: gis.roads, geometry: MultiPolgon}\n",
    ),
    Slip(
        "encoding",
        ("roads.yaml:4: source.encoding: ", "'utf8x'", "did you mean 'utf-8'"),
        HEAD.replace("}", ", encoding: utf8x}"),
    ),
    Slip(
        "scheme of a uri",
        ("roads.yaml:4: source.uri: ", "did you mean 'https"),
        HEAD.replace("roads.geojson", "htps://example.com/roads.geojson"),
    ),
    Slip(
        "where of a raster",
        ("roads.yaml:4: source.where: leave it out", "features"),
        RASTER.replace("}", ", where: a > 1}"),
    ),
    # YAML.
    Slip(
        "key twice",
        ("roads.yaml:5: the key 'name' is there already, on line 3",),
        HEAD + "  name: rivers\n",
    ),
    Slip(
        "bracket not closed",
        ("roads.yaml:6: ", "not YAML", "begins on line 5"),
        HEAD + "  key: [road_id\n",
    ),
    Slip(
        "tabulator",
        ("roads.yaml:5: ", "not YAML", "indent with spaces"),
        HEAD + "\tkey: [road_id]\n",
    ),
    Slip("empty file", ("roads.yaml:1: the file is empty", "'type' and 'attributes'"), ""),
    Slip(
        "not UTF-8",
        ("roads.yaml:5: ", "UTF-8", "save"),
        HEAD.encode() + b"  description: Stra\xdfen\n",
    ),
    # Rules.
    _rule("rule misspelt", "{rule: uniqe, columns: [road_id]}", "did you mean 'unique'"),
    _rule("rule unknown", "{rule: beautiful}", "`spatial-pipeline rules`"),
    _rule("rule without its id", "{columns: [road_id]}", "missing key 'rule'", "valid_geometry"),
    _rule("rule as text", "valid_geometry", "{rule: valid_geometry}"),
    _rule(
        "parameter misspelt",
        "{rule: unique, colums: [road_id]}",
        "unknown key 'colums'",
        "did you mean 'columns'",
    ),
    _rule("parameter missing", "{rule: unique}", "unique: missing key 'columns'"),
    _rule(
        "text for a number",
        "{rule: must_not_overlap, tolerance: wide}",
        "must_not_overlap: tolerance: expected a number, got 'wide'",
    ),
    _rule("negative tolerance", "{rule: must_not_overlap, tolerance: -1}", "tolerance: ", "0"),
    _rule(
        "severity",
        "{rule: valid_geometry, severity: warning}",
        "severity: expected 'error' or 'warn', got 'warning'",
    ),
    _rule("CRS", '{rule: crs, equals: "EPSG:25823"}', "crs: equals: ", "EPSG:25823"),
    _rule(
        "geometry type",
        "{rule: geometry_type, any_of: [Linestring]}",
        "'Linestring'",
        "did you mean 'LineString'",
    ),
    _rule(
        "type of a column",
        "{rule: columns, schema: {road_id: integr}}",
        "'integr'",
        "did you mean 'integer'",
    ),
    _rule(
        "regular expression",
        '{rule: matches, column: class, pattern: "[a-"}',
        "matches: pattern: ",
    ),
    _rule("min above max", "{rule: value_range, column: lanes, min: 4, max: 1}", "min", "max"),
    _rule("rule for rasters", "{rule: nodata, equals: 0}", "'nodata' is for raster data"),
    _rule(
        "rule for features",
        "{rule: unique, columns: [a]}",
        "'unique' is for vector data",
        head=RASTER,
    ),
    _rule(
        "condition in SQL",
        '{rule: not_empty, where: "lanes >> AND 2"}',
        "not_empty: where: ",
        "Parser Error",
    ),
    _rule(
        "column in SQL",
        '{rule: not_empty, where: "lnes > 2"}',
        "not_empty: where: ",
        "did you mean 'lanes'",
    ),
    _rule("other without anything", "{rule: same_features_as, other: {}}", "dataset", "uri"),
    _rule(
        "other misspelt",
        "{rule: same_features_as, other: {dataset: rods}}",
        "'rods'",
        "did you mean 'roads'",
    ),
    Slip(
        "two rules of one name",
        ("roads.yaml:7: two rules are named 'not_empty' (line 6)", "another name"),
        HEAD + RULE + "{rule: not_empty}\n    - {rule: not_empty, severity: warn}\n",
    ),
    # Between contracts.
    Slip(
        "name given twice",
        ("'roads'", "b.yaml", "a.yaml"),
        call=("check", "a.yaml", "b.yaml"),
        files={"a.yaml": HEAD, "b.yaml": HEAD},
    ),
    Slip(
        "datasets in a circle",
        ("roads.yaml:3: ", "roads → rivers → roads", "remove one"),
        HEAD + RULE + "{rule: same_count_as, other: {dataset: rivers}}\n",
        files={
            "rivers.yaml": HEAD.replace("name: roads", "name: rivers")
            + RULE
            + "{rule: same_count_as, other: {dataset: roads}}\n"
        },
    ),
    # What only the data reveal.
    Slip(
        "key column misspelt",
        ("roads.yaml:5: key: the data have no column 'rod_id'", "did you mean 'road_id'"),
        HEAD + "  key: [rod_id]\n",
    ),
    _rule(
        "column of a rule misspelt",
        "{rule: unique, columns: [rod_id]}",
        "unique: the data have no column 'rod_id'",
        "did you mean 'road_id'",
    ),
    Slip(
        "layer misspelt",
        ("roads.yaml:4: source.layer: ", "'rods'", "did you mean 'roads'"),
        HEAD.replace("roads.geojson", "two.gpkg, layer: rods"),
    ),
    Slip(
        "layer not named",
        ("roads.yaml:4: source.layer: ", "roads", "rivers"),
        HEAD.replace("roads.geojson", "two.gpkg"),
    ),
    Slip(
        "file misspelt",
        ("roads.yaml:4: source.uri: ", "raods.geojson", "did you mean 'roads.geojson'"),
        HEAD.replace("roads.geojson", "raods.geojson"),
    ),
    # Calls.
    Slip("command misspelt", ("'chek'", "check"), call=("chek", "roads.yaml")),
    Slip("option misspelt", ("--jsn", "--json"), call=("check", "roads.yaml", "--jsn")),
    Slip("argument missing", ("CONTRACT",), call=("check",)),
    Slip(
        "contract misspelt",
        ("raods.yaml: no such file or folder", "did you mean 'roads.yaml'"),
        call=("check", "raods.yaml"),
    ),
    Slip("folder without contracts", ("nothing: no contract",), call=("check", "nothing")),
    Slip(
        "data instead of a contract",
        ("spatial-pipeline profile two.gpkg > two.yaml", "--rules"),
        call=("check", "two.gpkg"),
    ),
    Slip(
        "file of rules misspelt",
        ("rule.yaml: no such file", "did you mean 'rules.yaml'"),
        call=("check", "roads.geojson", "--rules", "rule.yaml"),
        files={"rules.yaml": "- {rule: not_empty}\n"},
    ),
    Slip(
        "rule in a file of rules",
        ("rules.yaml:2: unknown rule 'uniqe'", "did you mean 'unique'"),
        call=("check", "roads.geojson", "--rules", "rules.yaml"),
        files={"rules.yaml": "- {rule: not_empty}\n- {rule: uniqe}\n"},
    ),
    Slip(
        "name of a rule",
        ("'not_emty'", "did you mean 'not_empty'"),
        HEAD + RULE + "{rule: not_empty}\n",
        call=(*CHECK, "--rule", "not_emty"),
    ),
    Slip(
        "partition of a dataset without any",
        ("roads has no partitions", "leave out --partition"),
        call=(*CHECK, "--partition", "north"),
    ),
    Slip(
        "partition misspelt",
        ("'nort'", "did you mean 'north'"),
        PARTS,
        call=(*CHECK, "--partition", "nort"),
    ),
    Slip(
        "folder of an output missing",
        ("reports", "does not exist"),
        call=(*CHECK, "--html", "reports/a.html"),
    ),
    Slip(
        "format of a layer",
        ("a.shp", ".gpkg"),
        call=(*CHECK, "--violations", "a.shp"),
    ),
    Slip("number of threads", ("--jobs", "1"), call=(*CHECK, "--jobs", "0")),
    Slip("id of a rule", ("did you mean 'unique'",), call=("rules", "uniqe")),
    Slip(
        "source of profile", ("raods.geojson", "roads.geojson"), call=("profile", "raods.geojson")
    ),
    Slip(
        "dataset of run",
        ("'rods'", "did you mean 'roads'"),
        call=("run", "rods", "--contracts", "."),
    ),
    Slip(
        "dataset of history",
        ("'rods'", "did you mean 'roads'"),
        call=("history", "rods"),
    ),
    Slip(
        "variable of the environment",
        ("SPATIAL_FETCH_ATTEMPTS", "'many'"),
        environment={"SPATIAL_FETCH_ATTEMPTS": "many"},
    ),
    Slip(
        "variable misspelt",
        ("SPATIAL_STOER", "did you mean SPATIAL_STORE?"),
        environment={"SPATIAL_STOER": "a"},
        code=0,
    ),
    Slip("alerts without channels", ("SPATIAL_ALERT_URLS",), call=("alerts", "test")),
    Slip("prune without a limit", ("--keep", "--days"), call=("store", "prune")),
]


def data(folder: Path) -> None:
    """The files that the contracts read."""
    lines = [shapely.LineString([(i, 0), (i, 1)]) for i in range(3)]
    table = {"road_id": [1, 2, 3], "class": ["a", "b", "c"], "lanes": [1, 2, 2]}
    roads = geopandas.GeoDataFrame(table, geometry=lines, crs="EPSG:4326")
    roads.to_file(folder / "roads.geojson")
    for layer in ("roads", "rivers"):
        roads.to_file(folder / "two.gpkg", layer=layer)
    shape = {"width": 4, "height": 3, "count": 1, "dtype": "float32", "crs": "EPSG:32633"}
    grid = Affine(10, 0, 500_000, 0, -10, 5_000_000)
    with rasterio.open(folder / "heights.tif", "w", driver="GTiff", transform=grid, **shape) as out:
        out.write(np.ones((1, 3, 4), np.float32))
    (folder / "nothing").mkdir()


def message(slip: Slip, folder: Path) -> tuple[int, str]:
    """Exit code, and what is printed on stderr, in a folder that is the working directory."""
    content = slip.contract
    path = folder / "roads.yaml"
    path.write_bytes(content if isinstance(content, bytes) else content.encode())
    for name, text in slip.files.items():
        (folder / name).write_text(text, encoding="utf-8")
    environment = {"SPATIAL_STORE": str(folder / "store"), "DAGSTER_HOME": None, "COLUMNS": "80"}
    done = CliRunner().invoke(app, list(slip.call), env={**environment, **slip.environment})
    for name in slip.files:
        (folder / name).unlink()
    if done.exception is not None and not isinstance(done.exception, SystemExit):
        raise done.exception
    return done.exit_code, done.stderr


def main() -> None:
    """Prints the table as Markdown."""
    import contextlib

    print("| mistake | exit | message |\n| --- | --- | --- |")
    with tempfile.TemporaryDirectory() as name, contextlib.chdir(name):
        data(Path(name))
        for slip in SLIPS:
            code, text = message(slip, Path(name))
            shown = " ⏎ ".join(line for line in text.strip().splitlines() if line)
            shown = re.sub(r"\|", r"\\|", shown)
            print(f"| {slip.name} | {code} | {shown} |")
    sys.stdout.flush()


if __name__ == "__main__":
    main()
