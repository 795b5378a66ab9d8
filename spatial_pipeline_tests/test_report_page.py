"""The commands and the Python code of docs/report.md, as they are printed."""

from __future__ import annotations

import re
import shlex
from pathlib import Path

import geopandas
import pytest
import shapely
from typer.testing import CliRunner

from spatial_pipeline.cli import app
from spatial_pipeline_tests.pages import snippets

PAGE = (Path(__file__).parents[1] / "docs" / "report.md").read_text("utf-8")
CONTRACT = """\
type: spatial_pipeline.VectorDataset
attributes:
  name: roads
  source: {uri: plots.gpkg}
  key: [id]
  rules:
    - {rule: must_not_overlap}
    - {rule: unique, columns: [id]}
"""


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("SPATIAL_STORE", str(tmp_path / "store"))
    (tmp_path / "roads.yaml").write_text(CONTRACT)
    deliver(tmp_path, 0.5)
    return tmp_path


def deliver(folder: Path, at: float) -> None:
    shapes = shapely.box([0, at], 0, [1, 2], 1)
    frame = geopandas.GeoDataFrame({"id": [1, 2]}, geometry=shapes, crs="EPSG:32633")
    frame.to_file(folder / "plots.gpkg")


def test_every_command_does_what_the_page_says(folder: Path) -> None:
    commands = [c for s in snippets("docs/report.md", "sh") for c, _ in s.commands()]
    assert len(commands) == 5
    runner = CliRunner()
    for command in commands:
        words = shlex.split(command, comments=True)[1:]
        if words[0] == "diff":
            deliver(folder, 0.75)
            runner.invoke(app, ["check", "roads.yaml"])
            names = sorted(
                (folder / "store/roads/-").glob("*/profile.json"),
                key=lambda p: p.stat().st_mtime_ns,
            )
            words[2:4] = [p.parent.name for p in names]
        done = runner.invoke(app, words)
        assert done.exit_code in (0, 1), done.output
        written = [w for w in words if w.endswith((".html", ".gpkg"))]
        assert all((folder / w).stat().st_size > 1000 for w in written)


def test_the_columns_are_those_that_are_written(folder: Path) -> None:
    CliRunner().invoke(app, ["check", "roads.yaml", "--violations", "defects.gpkg"])
    frame = geopandas.read_file(folder / "defects.gpkg", layer="violations")
    table = PAGE.partition("| column | content |")[2].partition("\n\n")[0]
    named = re.findall(r"`(\w+)`", "".join(row.split("|")[1] for row in table.splitlines()[2:]))
    assert sorted(named) == sorted(frame.columns)


def test_the_python_code_runs(folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (code,) = snippets("docs/report.md", "python")
    names: dict[str, object] = {}
    exec(code.text, names)
    assert capsys.readouterr().out.startswith("False <CheckReport: failed")
    assert len(names["worst"]) == 1  # type: ignore[arg-type]
    assert (folder / "report.html").is_file()
