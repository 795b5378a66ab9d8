# ruff: noqa: E501, ISC004 - a table of messages is read across
from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
import yaml
from hypothesis import given, settings
from hypothesis import strategies as st

from spatial_pipeline.contract.load import (
    find,
    load,
    load_project,
    parse_attributes,
)
from spatial_pipeline.contract.models import RasterContract, VectorContract
from spatial_pipeline.contract.rules import CATALOGUE
from spatial_pipeline.errors import ContractError

VECTOR = "spatial_pipeline.VectorDataset"
RASTER = "spatial_pipeline.RasterDataset"


def mistakes(path: Path) -> list[str]:
    """The messages for a file, without its path; a line number in front."""
    with pytest.raises(ContractError) as caught:
        load(path)
    return [line.removeprefix(f"{path}:") for line in str(caught.value).splitlines()]


def written(folder: Path, text: str, name: str = "defs.yaml") -> Path:
    path = folder / name
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(text, encoding="utf-8")
    return path


def rule_mistakes(folder: Path, *rules: str, kind: str = VECTOR) -> list[str]:
    """Messages for a contract whose first rule is on line 6."""
    lines = "".join(f"    - {r}\n" for r in rules)
    text = f"type: {kind}\nattributes:\n  name: a\n  source: {{uri: a.gpkg}}\n  rules:\n{lines}"
    return mistakes(written(folder, text))


def dataset(folder: Path, name: str, *rules: Any, kind: str = VECTOR) -> Path:
    value = {
        "type": kind,
        "attributes": {"name": name, "source": {"uri": f"{name}.gpkg"}}
        | ({"rules": list(rules)} if rules else {}),
    }
    return written(folder, yaml.safe_dump(value), f"{name}/defs.yaml")


def covered(other: str) -> dict[str, Any]:
    return {"rule": "must_be_covered_by", "other": {"dataset": other}}


def test_a_right_contract_is_loaded(tmp_path: Path) -> None:
    path = written(
        tmp_path,
        """\
type: spatial_pipeline.VectorDataset
attributes:
  name: counties
  description: Counties of Colorado
  owners: ["team:gis", a@b.org]
  source: {uri: "{partition}/counties.geojson"}
  partitions: {static: [north, south]}
  schedule: "0 3 * * *"
  key: [geoid]
  rules:
    - {rule: crs, equals: "EPSG:4326"}
    - {rule: unique, columns: [geoid]}
    - {rule: must_not_overlap, tolerance: 1e-9}
    - {rule: must_be_covered_by, other: {uri: states.gpkg}, severity: warn, name: inside_states}
---
type: spatial_pipeline.RasterDataset
attributes:
  name: dem
  source: {uri: dem.tif}
  rules: [{rule: nodata, equals: .nan}, {rule: resolution, equals: [1, 2]}]
""",
    )
    counties, dem = load(path)
    assert isinstance(counties, VectorContract)
    assert isinstance(dem, RasterContract)
    assert counties.path == path
    assert counties.base == tmp_path
    assert [r.check_name for r in counties.rules] == [
        "crs", "unique", "must_not_overlap", "inside_states",
    ]  # fmt: skip
    assert counties.rules[2].model_dump()["tolerance"] == 1e-9


TEN = """\
type: spatial_pipeline.VectorDataset
attributes:
  name: counties
  descripton: Counties of Colorado
  source: {url: counties.geojson}
  schedule: "0 25 * * *"
  rules:
    - {rule: uniqe, columns: [geoid]}
    - {rule: unique, colums: [geoid]}
    - {rule: must_not_overlap, tolerance: tiny}
    - {rule: band_count, equals: 3}
    - {rule: feature_count, min: 5, max: 3, severity: eror}
    - {rule: must_not_overlap, tolerance: 1}
    - {rule: not_null}
    - {rule: valid_geometry, timeout_s: -1}
  name: states
"""


def test_all_mistakes_come_at_once_each_with_its_line_and_suggestion(tmp_path: Path) -> None:
    assert mistakes(written(tmp_path, TEN)) == [
        "4: unknown key 'descripton'; did you mean 'description'?",
        "5: source: unknown key 'url'; did you mean 'uri'?",
        "6: schedule: '0 25 * * *': hour '25': 25 is not in 0 to 23",
        "8: unknown rule 'uniqe'; did you mean 'unique'?",
        "9: unique: unknown key 'colums'; did you mean 'columns'?",
        "10: must_not_overlap: tolerance: expected a number, got 'tiny'",
        "11: rule 'band_count' is for raster data, this is a vector dataset",
        "12: feature_count: severity: expected 'error' or 'warn', got 'eror'; "
        "did you mean 'error'?",
        "12: feature_count: min is larger than max",
        "13: two rules are named 'must_not_overlap' (line 10): give one of them another name",
        "14: not_null: missing key 'columns'",
        "15: valid_geometry: timeout_s: expected more than 0, got -1",
        "16: the key 'name' is there already, on line 3",
    ]


@pytest.mark.parametrize(
    ("rule", "expected"),
    [
        ("crsx", ["6: rules: expected a mapping such as {rule: crs, equals: EPSG:4326}, got 'crsx'"]),
        ("readable", ["6: rules: expected a mapping such as {rule: readable}, got 'readable'"]),
        ("{rul: readable}", ["6: unknown key 'rul'; did you mean 'rule'?"]),
        ("{equals: x}", ["6: missing key 'rule': the ID of a rule, such as valid_geometry"]),
        ("{rule: 5}", ["6: unknown rule 5; `spatial-pipeline rules` lists all"]),
        (
            "{rule: geometry-type, any_of: [Polygn]}",
            [
                "6: unknown rule 'geometry-type'; did you mean 'geometry_type'?",
                "6: geometry_type: any_of[0]: expected 'Point', 'LineString', 'Polygon', "
                "'MultiPoint', 'MultiLineString', 'MultiPolygon' or 'GeometryCollection', "
                "got 'Polygn'; did you mean 'Polygon'?",
            ],
        ),
        (
            "{rule: must_be_covered_by, other: x}",
            [
                "6: must_be_covered_by: other: expected a mapping {dataset: …} or a mapping "
                "{uri: …}, got 'x'"
            ],
        ),
        (
            "{rule: must_be_covered_by, other: {}}",
            ["6: must_be_covered_by: other: give 'dataset' or 'uri'"],
        ),
        (
            "{rule: must_be_covered_by, other: {file: x}}",
            ["6: must_be_covered_by: other: give 'dataset' or 'uri', not 'file'"],
        ),
        (
            "{rule: must_be_covered_by, other: {dataset: x, uri: y}}",
            ["6: must_be_covered_by: other: give 'dataset' or 'uri', not both"],
        ),
        (
            "{rule: must_be_covered_by, other: {uri: x, layr: y}}",
            ["6: must_be_covered_by: other: unknown key 'layr'; did you mean 'layer'?"],
        ),
        (
            "{rule: must_be_covered_by, other: {uri: x, layer: 5}}",
            ["6: must_be_covered_by: other.layer: expected text, got 5: quote it"],
        ),
        (
            "{rule: not_null, columns: geoid}",
            ["6: not_null: columns: expected a list, got 'geoid': write [geoid]"],
        ),
        ("{rule: not_null, columns: []}", ["6: not_null: columns: must not be empty"]),
        ("{rule: not_null, columns: [no]}", ["6: not_null: columns[0]: expected text, got false: quote it"]),
        ("{rule: value_range, column: a, max: true}", ["6: value_range: max: true and false are not bounds"]),
        ("{rule: readable, timeout_s: true}", ["6: readable: timeout_s: expected a number, got true"]),
        ("{rule: readable, max_violations: no}", ["6: readable: max_violations: expected a whole number, got false"]),
        ("{rule: bounds_within, bounds: [0, yes, 2, 3]}", ["6: bounds_within: bounds[1]: expected a number, got true"]),
        ("{rule: value_range, column: a}", ["6: value_range: give min, max or both"]),
        ("{rule: feature_count, mim: 5}", ["6: feature_count: unknown key 'mim'; did you mean 'min'?"]),
        (
            "{rule: feature_count, min: -1, timeout_s: x, max_violations: x}",
            [
                "6: feature_count: max_violations: leave it out: the rule judges one number, so"
                " there are no violations to accept",
                "6: feature_count: timeout_s: expected a number, got 'x'",
                "6: feature_count: min: expected at least 0, got -1",
            ],
        ),
        (
            "{rule: columns, schema: {2020: integer}}",
            ["6: columns: schema[2020]: expected text as key, got 2020: quote it"],
        ),
        (
            "{rule: columns, name_pattern: '('}",
            [
                "6: columns: name_pattern: '(' is not a regular expression: missing ), unterminated "
                "subpattern at position 0"
            ],
        ),
        (
            "{rule: bounds_within, bounds: [1, 2, 3]}",
            ["6: bounds_within: bounds: the list is too short: 3 values"],
        ),
        ("{rule: bounds_within, bounds: [3, 2, 1, 4]}", ["6: bounds_within: bounds are [xmin, ymin, xmax, ymax]"]),
        (
            "{rule: readable, name: a b}",
            ["6: a b: name: letters, digits and underscores only, got 'a b': write a_b"],
        ),
        (
            "{rule: readable, max_fraction: 0.1, max_violations: 3, sevrity: warn}",
            [
                "6: readable: unknown key 'sevrity'; did you mean 'severity'?",
                "6: readable: give max_violations or max_fraction, not both",
            ],
        ),
        (
            "{rule: readable, severity: warn, sevrity: warn}",
            ["6: readable: unknown key 'sevrity'; 'severity' is there already"],
        ),
    ],
)  # fmt: skip
def test_mistakes_of_a_rule(tmp_path: Path, rule: str, expected: list[str]) -> None:
    found = rule_mistakes(tmp_path, rule)
    assert [f.split("; known:")[0] for f in found] == expected


@pytest.mark.parametrize(
    ("rule", "expected"),
    [
        (
            "{rule: resolution, equals: big}",
            ["6: resolution: equals: expected a number or a list, got 'big'"],
        ),
        ("{rule: resolution, equals: [1]}", ["6: resolution: equals: the list is too short: 1 values"]),
        ("{rule: resolution, equals: [1, true]}", ["6: resolution: equals[1]: expected a number, got true"]),
        ("{rule: resolution, equals: [1, -1]}", ["6: resolution: equals[1]: expected more than 0, got -1"]),
        ("{rule: pixel_range, band: 1.5, min: 0}", ["6: pixel_range: band: expected a whole number, got 1.5"]),
        ("{rule: nodata}", ["6: nodata: missing key 'equals'"]),
        ("{rule: nodata_fraction, max: 1.5}", ["6: nodata_fraction: max: expected at most 1, got 1.5"]),
        (
            "{rule: must_not_overlap}",
            ["6: rule 'must_not_overlap' is for vector data, this is a raster dataset"],
        ),
        (
            "{rule: bands_match, others: [a.tif, {ury: x}, 3]}",
            [
                "6: bands_match: others[1]: unknown key 'ury'; did you mean 'uri'?",
                "6: bands_match: others[2]: expected a mapping {dataset: …}, a mapping {uri: …} "
                "or text, got 3",
            ],
        ),
    ],
)  # fmt: skip
def test_mistakes_of_a_raster_rule(tmp_path: Path, rule: str, expected: list[str]) -> None:
    assert sorted(rule_mistakes(tmp_path, rule, kind=RASTER)) == expected


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("", ["1: the file is empty: it needs the keys 'type' and 'attributes'"]),
        ("- a\n- b\n", ["1: expected the keys 'type' and 'attributes', got a list"]),
        ("a: [\n", ["2: not YAML: expected the node content, but found '<stream end>', while parsing a flow node"]),
        (
            f"type: {VECTOR}\n",
            ["1: missing key 'attributes': it holds name, source and rules"],
        ),
        (
            f"type: {VECTOR}\nattributes:\n",
            ["2: attributes: expected a mapping (key: value), got nothing"],
        ),
        (
            f"type: {VECTOR}\nname: x\nattributes:\n  source: {{uri: a}}\n",
            [
                "2: unknown key 'name'; it belongs below 'attributes'",
                "3: attributes: missing key 'name'",
            ],
        ),
        (
            f"typ: {VECTOR}\nattributes: {{name: a, source: {{uri: a}}}}\n",
            ["1: unknown key 'typ'; did you mean 'type'?"],
        ),
        (
            "attributes: {name: a, source: {uri: a}}\n",
            [f"1: missing key 'type': '{VECTOR}' or '{RASTER}'"],
        ),
        (
            "type: VectorDataset\nattributes: {name: a, source: {uri: a}}\n",
            [f"1: unknown type 'VectorDataset'; did you mean '{VECTOR}'?"],
        ),
        (
            f"type: {RASTER}\nattributes: {{name: a, source: {{uri: a}}, key: [x]}}\n",
            ["2: unknown key 'key'"],
        ),
        (
            f"type: {VECTOR}\nattributes:\n  name: 1a\n  source: a.gpkg\n  rules: crs\n",
            [
                "3: name: letters, digits and underscores only, no digit first, got '1a'",
                "4: source: expected a mapping {uri: …}, got 'a.gpkg'",
                "5: rules: expected a list, got 'crs'",
            ],
        ),
        (
            f"type: {VECTOR}\nattributes:\n  name: a\n  source:\n    uri: a.gpkg\n"
            "  partitions: {static: [a, a, no]}\n  owners: [me]\n",
            [
                "5: source.uri: the dataset is partitioned, so the uri needs {partition}",
                "6: partitions.static[2]: expected text, got false: quote it",
                "7: owners: 'me' is neither an e-mail address nor team:name: write team:me",
            ],
        ),
        (
            f"type: {VECTOR}\nattributes:\n  name: a\n  source: {{uri: a.gpkg}}\n"
            "  owners:\n    - gis@land.museum-of-maps\n    - a b@c.org\n  rules: []\n",
            [
                "6: owners: Dagster refuses 'gis@land.museum-of-maps': an e-mail address has ASCII"
                " letters, digits and . _ % + - before the @, and ends in 2 to 7 letters; or give"
                " team:name",
                "7: owners: 'a b@c.org' is neither an e-mail address nor team:name",
                "8: rules: is empty: name a rule, or leave out the key for the rules that are"
                " always on",
            ],
        ),
        (
            f"type: {VECTOR}\nattributes:\n  name: a\n  source: {{uri: a.gpkg}}\n  rules:\n",
            ["5: rules: expected a list, got nothing"],
        ),
        (
            f"type: {VECTOR}\nattributes:\n  name: a\n  source: {{uri: '{{partition}}.gpkg'}}\n"
            '  partitions: {static: [a...b, "c\\td"]}\n',
            ["5: partitions.static: Dagster refuses the partition key 'a...b': it contains '...'"],
        ),
        (
            f"type: {VECTOR}\nattributes:\n  name: a\n  source:\n    uri: '{{partition}}.gpkg'\n",
            ["5: source.uri: the uri has {partition}, so the dataset needs the key 'partitions'"],
        ),
        (
            f"type: {VECTOR}\nattributes:\n  name: a\n  source: {{uri: '{{partition}}.gpkg'}}\n"
            "  partitions: {daily: tomorrow}\n",
            ["5: partitions.daily: expected a date (YYYY-MM-DD), got 'tomorrow'"],
        ),
    ],
)  # fmt: skip
def test_mistakes_of_a_file(tmp_path: Path, text: str, expected: list[str]) -> None:
    found = mistakes(written(tmp_path, text))
    assert [f.split("; known:")[0] for f in found] == expected


def test_every_document_of_a_file_is_judged(tmp_path: Path) -> None:
    wrong = f"type: {VECTOR}\nattributes:\n  source: {{uri: a}}\n"
    assert mistakes(written(tmp_path, f"{wrong}---\n{wrong}")) == [
        "2: attributes: missing key 'name'",
        "6: attributes: missing key 'name'",
    ]


def test_a_file_that_cannot_be_read_says_why(tmp_path: Path) -> None:
    (tmp_path / "latin.yaml").write_bytes("name: Köln".encode("latin-1"))
    with pytest.raises(ContractError, match=r"latin\.yaml:\d+: cannot be read: it is not UTF-8"):
        load(tmp_path / "latin.yaml")
    with pytest.raises(ContractError, match=r"none\.yaml: cannot be read: No such file"):
        load(tmp_path / "none.yaml")


def test_messages_of_hostile_values_stay_one_line_each(tmp_path: Path) -> None:
    name = '"; drop table x\\n\\n' + "y" * 300
    text = f'type: {VECTOR}\nattributes:\n  name: "{name[2:]}"\n  source: {{uri: a}}\n'
    (message,) = mistakes(written(tmp_path, text))
    assert message.startswith("3: name: ")
    assert len(message) < 200


def test_folders_are_searched_and_other_components_left_alone(tmp_path: Path) -> None:
    ours = [dataset(tmp_path, "b"), dataset(tmp_path / "deep" / "er", "a")]
    broken = written(tmp_path, f"type: {VECTOR}\n  x: [", "broken/defs.yaml")
    typo = written(tmp_path, "type: spatialpipeline.VectorDataset\n", "typo.yml")
    written(tmp_path, "type: dagster.PythonScript\nattributes: {}\n", "script/defs.yaml")
    written(tmp_path, "jobs: [\n", "ci.yaml")
    written(tmp_path, f"type: {VECTOR}\n", ".hidden/defs.yaml")
    written(tmp_path, f"type: {VECTOR}\n", "notes.txt")
    assert sorted(find([tmp_path])) == sorted([*ours, broken, typo])
    assert find([ours[0], ours[0].parent]) == [ours[0]]


def test_paths_that_lead_nowhere_are_mistakes(tmp_path: Path) -> None:
    (tmp_path / "empty").mkdir()
    with pytest.raises(ContractError) as caught:
        find([tmp_path / "none", tmp_path / "empty"])
    none, empty = str(caught.value).splitlines()
    assert none == f"{tmp_path / 'none'}: no such file or folder"
    assert empty.startswith(f"{tmp_path / 'empty'}: no contract in this folder")


def test_references_are_checked_across_files_right_or_wrong(tmp_path: Path) -> None:
    first = dataset(tmp_path, "counties", covered("stats"), {"rule": "uniqe", "columns": ["id"]})
    dataset(tmp_path, "states")
    dataset(tmp_path, "dem", {"rule": "readable"}, kind=RASTER)
    second = dataset(tmp_path, "roads", covered("dem"))
    with pytest.raises(ContractError) as caught:
        load_project([tmp_path])
    text = str(caught.value)
    assert f"{first}:5: must_be_covered_by: there is no dataset 'stats'" in text
    assert "did you mean 'states'?" in text
    assert "unknown rule 'uniqe'" in text
    assert f"{second}:5: must_be_covered_by: dem is a raster dataset, not a vector dataset" in text
    assert len(text.splitlines()) == 3


def test_a_raster_may_refer_to_polygons_where_the_rule_wants_them(tmp_path: Path) -> None:
    dataset(tmp_path, "land")
    rule = {"rule": "nodata_fraction", "max": 0.1, "within": {"dataset": "land"}}
    dataset(tmp_path, "dem", rule, kind=RASTER)
    contracts, neighbours = load_project([tmp_path])
    assert [c.name for c in contracts] == ["dem", "land"]
    assert neighbours == []


def test_circles_and_names_given_twice_are_mistakes(tmp_path: Path) -> None:
    dataset(tmp_path, "a", covered("b"))
    dataset(tmp_path, "b", covered("c"))
    dataset(tmp_path, "c", covered("a"))
    dataset(tmp_path, "d", covered("d"))
    twice = dataset(tmp_path / "more", "a")
    with pytest.raises(ContractError) as caught:
        load_project([tmp_path])
    circle, double = str(caught.value).splitlines()
    assert "in a cycle: a → b → c → a" in circle
    assert double == f"{twice}:2: there is already a dataset 'a': {tmp_path / 'a/defs.yaml'}:2"


def test_neighbours_are_asked_for_datasets_that_a_single_file_refers_to(tmp_path: Path) -> None:
    counties = dataset(tmp_path, "counties", covered("states"))
    dataset(tmp_path, "states", covered("country"))
    dataset(tmp_path, "country")
    dataset(tmp_path, "unrelated", {"rule": "uniqe"})
    contracts, neighbours = load_project([counties])
    assert [c.name for c in contracts] == ["counties"]
    assert [c.name for c in neighbours] == ["country", "states"]


def test_attributes_of_a_component_are_judged_like_a_file(tmp_path: Path) -> None:
    path = written(tmp_path, TEN)
    attributes = yaml.safe_load(TEN)["attributes"]
    with pytest.raises(ContractError) as caught:
        parse_attributes(VECTOR, attributes, path)
    expected = {f"{path}:{m}" for m in mistakes(path)}
    assert set(str(caught.value).splitlines()) == expected
    with pytest.raises(ContractError, match=r"^name: letters"):
        parse_attributes(VECTOR, {"name": "a b", "source": {"uri": "x"}})
    right = dataset(tmp_path, "a")
    contract = parse_attributes(RASTER, {"name": "a", "source": {"uri": "x"}}, right)
    assert isinstance(contract, RasterContract)
    assert contract.path == right


WORDS = st.sampled_from(
    [*CATALOGUE, *{f.alias or n for m in CATALOGUE.values() for n, f in m.model_fields.items()}]
)
VALUES = st.recursive(
    st.one_of(
        st.none(), st.booleans(), st.integers(), st.floats(), WORDS, st.text(max_size=5), st.dates()
    ),
    lambda inner: st.one_of(
        st.lists(inner, max_size=4), st.dictionaries(st.one_of(WORDS, st.integers()), inner, max_size=4)
    ),
    max_leaves=12,
)  # fmt: skip


@given(
    VALUES,
    st.lists(
        st.builds(lambda rule, rest: {**rest, "rule": rule}, WORDS, st.dictionaries(WORDS, VALUES, max_size=5)),
        max_size=4,
    ),
    st.sampled_from([VECTOR, RASTER]),
)  # fmt: skip
@settings(max_examples=150, deadline=None)
def test_whatever_is_written_there_is_a_contract_or_messages(
    anything: Any, rules: list[Any], kind: str
) -> None:
    for attributes in (
        {"name": "a", "source": {"uri": "x"}, "rules": [*rules, anything]},
        {"name": "a", "source": anything, "partitions": anything, "rules": rules},
    ):
        try:
            parse_attributes(kind, attributes)
        except ContractError as exc:
            lines = str(exc).splitlines()
            assert lines
            assert all(line and "pydantic" not in line for line in lines)
