"""What is accepted is part of the rule: a change of its files closes the gate."""

from __future__ import annotations

import asyncio
import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import geopandas
import pytest
import shapely
from typer.testing import CliRunner

from spatial_pipeline.cli import app
from spatial_pipeline.contract.models import VectorContract
from spatial_pipeline.contract.vocabulary import Status
from spatial_pipeline.pipeline.batch_check import check_all
from spatial_pipeline.pipeline.pipeline import Pipeline
from spatial_pipeline.pipeline.suppressions import write_baselines
from spatial_pipeline.settings import Settings

SQUARES = [shapely.box(x, 0, x + 10, 10) for x in (0, 9, 100, 108)]


def contract(folder: Path, **accepts: Any) -> VectorContract:
    geopandas.GeoDataFrame({"id": [1, 2, 3, 4]}, geometry=SQUARES, crs="EPSG:32633").to_file(
        folder / "squares.gpkg"
    )
    value = VectorContract.model_validate(
        {
            "name": "squares",
            "source": {"uri": "squares.gpkg"},
            "key": ["id"],
            "rules": [{"rule": "must_not_overlap", **accepts}],
        }
    )
    value._path = folder / "defs.yaml"
    return value


def story(of: VectorContract) -> Pipeline:
    return Pipeline.of([of], Settings(store=of.base / "store"))


def checked(of: VectorContract, **how: Any) -> Any:
    return asyncio.run(check_all(story(of), [(of, None)], None, **how))[0]


def held(of: VectorContract) -> tuple[str, ...]:
    pipeline = story(of)
    return pipeline.decide(of, pipeline.stage(of)).reasons


def areas(path: Path, *boxes: Any) -> None:
    frame = geopandas.GeoDataFrame(geometry=list(boxes), crs="EPSG:32633")
    frame.to_file(path)


def test_a_baseline_that_is_not_there_accepts_nothing(tmp_path: Path) -> None:
    of = contract(tmp_path, baseline="accepted.json")
    result = checked(of).results[-1]
    assert (result.status, result.violations) == (Status.FAILED, 2)
    assert "there is no baseline accepted.json yet" in result.message


def test_what_was_accepted_passes_and_opens_the_gate(tmp_path: Path) -> None:
    of = contract(tmp_path, baseline="accepted.json")
    found = checked(of, baselines=False)
    assert write_baselines([of], [found]) == [tmp_path / "accepted.json"]
    # The verdict so far was made without it.
    assert held(of)
    after = checked(of)
    assert after.passed
    assert after.results[-1].excepted == {"baseline": 2}
    assert held(of) == ()


def test_an_area_outside_of_which_nothing_counts_is_part_of_the_rule(tmp_path: Path) -> None:
    areas(tmp_path / "only.gpkg", shapely.box(0, 0, 20, 20))
    of = contract(tmp_path, only_within={"uri": "only.gpkg"})
    after = checked(of).results[-1]
    assert (after.status, after.violations, after.excepted) == (
        Status.FAILED,
        1,
        {"only_within": 1},
    )
    areas(tmp_path / "only.gpkg", shapely.box(50, 0, 60, 20))
    assert any("the rule changed since it was checked" in r for r in held(of))
    assert checked(of).results[-1].passed
    assert held(of) == ()
    frame = geopandas.GeoDataFrame(geometry=[shapely.Point(0, 0)], crs="EPSG:32633")
    frame.to_file(tmp_path / "only.gpkg")
    assert "only_within: the file holds no polygons" in checked(of).results[-1].message


def edited(path: Path) -> None:
    value = json.loads(path.read_text())
    value["rules"]["must_not_overlap"]["accepted"].pop()
    path.write_text(json.dumps(value))


@pytest.mark.parametrize("change", [edited, Path.unlink, lambda p: p.write_text("{}")])
def test_a_baseline_edited_after_the_verdict_closes_the_gate(
    tmp_path: Path, change: Callable[[Path], Any]
) -> None:
    of = contract(tmp_path, baseline="accepted.json")
    write_baselines([of], [checked(of, baselines=False)])
    checked(of)
    change(tmp_path / "accepted.json")
    # The very object that was loaded before the change, as a server holds it.
    assert held(of) == ("must_not_overlap: the rule changed since it was checked",)
    assert not checked(of).passed


def test_a_baseline_widened_by_hand_does_not_open_the_gate(tmp_path: Path) -> None:
    of = contract(tmp_path, baseline="accepted.json")
    write_baselines([of], [checked(of, baselines=False)])
    whole = (tmp_path / "accepted.json").read_text()
    edited(tmp_path / "accepted.json")
    assert not checked(of).passed
    (tmp_path / "accepted.json").write_text(whole)
    assert held(of) == ("must_not_overlap: the rule changed since it was checked",)


def test_a_baseline_edited_while_it_is_read_is_no_verdict(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    of = contract(tmp_path, baseline="accepted.json")
    write_baselines([of], [checked(of, baselines=False)])
    from spatial_pipeline.pipeline import suppressions

    real = suppressions.parsed

    def meanwhile(*arguments: Any) -> Any:
        edited(tmp_path / "accepted.json")
        return real(*arguments)

    monkeypatch.setattr(suppressions, "parsed", meanwhile)
    result = checked(of).results[-1]
    assert result.status is Status.ERROR
    assert "changed during the check" in result.message
    assert held(of)


def test_areas_leave_out_and_their_change_closes_the_gate(tmp_path: Path) -> None:
    areas(tmp_path / "known.gpkg", shapely.box(-5, -5, 200, 20))
    of = contract(tmp_path, **{"except": {"uri": "known.gpkg"}})
    after = checked(of)
    assert after.passed
    assert after.results[-1].excepted == {"areas": 2}
    assert held(of) == ()
    areas(tmp_path / "known.gpkg", shapely.box(-5, -5, 50, 20))
    assert held(of) == ("must_not_overlap: the rule changed since it was checked",)
    assert checked(of).results[-1].violations == 1


def test_a_shapefile_of_areas_is_all_its_files(tmp_path: Path) -> None:
    areas(tmp_path / "known.shp", shapely.box(-5, -5, 200, 20))
    of = contract(tmp_path, **{"except": {"uri": "known.shp"}})
    assert checked(of).passed
    (tmp_path / "known.prj").unlink()
    assert held(of) == ("must_not_overlap: the rule changed since it was checked",)


def test_areas_that_cannot_be_read_are_an_error(tmp_path: Path) -> None:
    of = contract(tmp_path, **{"except": {"uri": "lost.gpkg"}})
    result = checked(of).results[-1]
    assert result.status is Status.ERROR
    assert "lost.gpkg cannot be read" in result.message


@pytest.mark.parametrize("uri", ["https://a.b/c.gpkg", "postgresql:", "package://a/b", "a.zip!b"])
def test_areas_are_files_whose_change_is_noticed(tmp_path: Path, uri: str) -> None:
    with pytest.raises(ValueError, match="accepted areas must be a file"):
        contract(tmp_path, **{"except": {"uri": uri}})


@pytest.mark.parametrize("rule", ["readable", "staged_matches_source"])
def test_damage_cannot_be_accepted(tmp_path: Path, rule: str) -> None:
    with pytest.raises(ValueError, match="cannot be accepted"):
        VectorContract.model_validate(
            {
                "name": "a",
                "source": {"uri": "a.gpkg"},
                "rules": [{"rule": rule, "baseline": "b.json"}],
            }
        )


CONTRACT = """
type: spatial_pipeline.VectorDataset
attributes:
  name: squares
  source: {uri: squares.gpkg}
  key: [id]
  rules:
    - {rule: must_not_overlap, baseline: accepted.json}
"""


def command(folder: Path, *arguments: str) -> Any:
    environment = {"SPATIAL_STORE": str(folder / "store")}
    path = str(folder / "defs.yaml")
    return CliRunner().invoke(app, ["check", path, *arguments], env=environment)


def test_the_command_writes_a_baseline_and_checks_against_it(tmp_path: Path) -> None:
    contract(tmp_path)
    (tmp_path / "defs.yaml").write_text(CONTRACT)
    assert command(tmp_path).exit_code == 1
    written = command(tmp_path, "--write-baseline")
    assert written.exit_code == 0, written.output
    assert "baseline: " in written.stderr
    again = command(tmp_path, "--json")
    assert again.exit_code == 0
    (_, _, result) = json.loads(again.stdout)["datasets"][0]["results"]
    assert result["excepted"] == {"baseline": 2}
    assert "2 accepted by baseline" in result["message"]


def test_the_command_says_when_no_rule_has_a_baseline(tmp_path: Path) -> None:
    contract(tmp_path)
    (tmp_path / "defs.yaml").write_text(CONTRACT.replace(", baseline: accepted.json", ""))
    refused = command(tmp_path, "--write-baseline")
    assert refused.exit_code == 2
    assert "none of the checked rules has a baseline" in refused.stderr
