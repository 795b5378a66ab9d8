"""The worked example of docs/custom-rules.md, installed beside the package and run."""

from __future__ import annotations

import json
import os
import re
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

PAGE = Path(__file__).parents[2] / "docs" / "custom-rules.md"
FILES = {
    "python": ["parcel_rules/models.py", "parcel_rules/checks.py"],
    "toml": ["pyproject.toml"],
    "yaml": ["defs.yaml"],
}
PARCELS = [(1, 12, [4, 2]), (2, 500, [4, 2]), (3, None, [30, 2])]
"""Id, house number, and the sides of a rectangle."""


def square(id_: int, number: int | None, sides: list[int]) -> dict[str, Any]:
    x, y = (s / 1000 for s in sides)
    ring = [[0, 0], [x, 0], [x, y], [0, y], [0, 0]]
    return {
        "type": "Feature",
        "properties": {"id": id_, "number": number},
        "geometry": {"type": "Polygon", "coordinates": [ring]},
    }


@pytest.fixture
def project(tmp_path: Path) -> Path:
    """The files of the page, and what an installer would write of the entry points."""
    text = PAGE.read_text(encoding="utf-8")
    for language, names in FILES.items():
        blocks = re.findall(rf"```{language}\n(.*?)```", text, re.DOTALL)
        for name, block in zip(names, blocks, strict=True):
            path = tmp_path / name
            path.parent.mkdir(exist_ok=True)
            path.write_text(block, encoding="utf-8")
    (tmp_path / "parcel_rules" / "__init__.py").touch()
    information = tmp_path / "parcel_rules-1.0.dist-info"
    information.mkdir()
    (information / "METADATA").write_text(
        "Metadata-Version: 2.1\nName: parcel-rules\nVersion: 1.0\n"
    )
    points = (tmp_path / "pyproject.toml").read_text(encoding="utf-8")
    lines = re.sub(r'\[project.entry-points."(.*?)"\]', r"[\1]", points).replace('"', "")
    (information / "entry_points.txt").write_text(lines[lines.index("[spatial_pipeline") :])
    features = [square(*p) for p in PARCELS]
    (tmp_path / "parcels.geojson").write_text(
        json.dumps({"type": "FeatureCollection", "features": features})
    )
    return tmp_path


def command(project: Path, *arguments: str) -> subprocess.CompletedProcess[str]:
    path = os.pathsep.join([str(project), str(PAGE.parents[1])])
    environment = {**os.environ, "PYTHONPATH": path, "SPATIAL_STORE": str(project / "store")}
    return subprocess.run(
        [sys.executable, "-c", "from spatial_pipeline.cli import main; main()", *arguments],
        cwd=project, env=environment, capture_output=True, text=True, check=False, timeout=120,
    )  # fmt: skip


def test_the_example_judges_parcels(project: Path) -> None:
    done = command(project, "check", "defs.yaml", "--json")
    assert done.returncode == 1, done.stderr
    (dataset,) = json.loads(done.stdout)["datasets"]
    found = {r["name"]: r for r in dataset["results"]}
    number, long = found["house_number"], found["elongation"]
    assert (number["status"], number["violations"], number["checked"]) == ("failed", 1, 2)
    assert number["sample"][0]["keys"] == [[2]]
    assert "1 null in number" in number["message"]
    assert (long["severity"], long["sample"][0]["keys"]) == ("warn", [[3]])
    assert long["sample"][0]["measure"] == pytest.approx(15)
    assert "house_number" in command(project, "rules").stdout


def test_a_module_that_cannot_be_loaded_is_named_where_its_rule_is_missing(project: Path) -> None:
    (project / "parcel_rules" / "models.py").write_text("import nothing_of_this_name\n")
    done = command(project, "check", "defs.yaml", "--json")
    assert done.returncode == 2
    assert "unknown rule 'house_number'" in done.stderr
    assert "entry point parcels of spatial_pipeline.rules: ModuleNotFoundError" in done.stderr


def test_a_rule_without_its_check_is_an_error_of_that_rule(project: Path) -> None:
    (project / "parcel_rules" / "checks.py").write_text("raise ValueError('broken')\n")
    done = command(project, "check", "defs.yaml", "--json")
    (dataset,) = json.loads(done.stdout)["datasets"]
    found = {r["name"]: r for r in dataset["results"]}
    assert found["house_number"]["status"] == "error"
    assert found["house_number"]["message"].endswith(
        "has no check for vector data; entry point parcels of spatial_pipeline.checks: "
        "ValueError: broken"
    )
    assert found["readable"]["passed"]


def test_an_id_of_the_catalogue_is_not_replaced(project: Path) -> None:
    path = project / "parcel_rules" / "models.py"
    text = path.read_text(encoding="utf-8")
    path.write_text(text.replace("house_number", "not_null"), encoding="utf-8")
    done = command(project, "check", "defs.yaml", "--json")
    assert done.returncode == 2
    assert "there is a rule 'not_null' already" in done.stderr
