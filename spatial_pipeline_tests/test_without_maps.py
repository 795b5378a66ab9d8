"""An installation without the extra ``maps``: everything works, and alerts have no map."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path

ROOT = Path(__file__).parents[1]
SCRIPT = """
import sys

sys.modules["matplotlib"] = None

import asyncio
import json
from pathlib import Path

from typer.testing import CliRunner

from spatial_pipeline.cli import app
from spatial_pipeline.pipeline import alert_context
from spatial_pipeline_tests.orchestration.projects import Project

project = Project(Path.cwd(), rules=[{"rule": "no_duplicate_geometries"}])
project.supply([[0, 0], [5, 5], [5, 5]])
pipeline = project.pipeline
version = pipeline.stage(project.contract)
asyncio.run(pipeline.audit(project.contract, version))
problem = alert_context.fact_of(pipeline.store, version, "no_duplicate_geometries")
picture = alert_context.picture_of(pipeline.store, problem)
Path("points.yaml").write_text(
    "type: spatial_pipeline.VectorDataset\\n"
    "attributes: {name: points, source: {uri: points.geojson}, "
    "rules: [{rule: no_duplicate_geometries}]}\\n"
)
done = CliRunner().invoke(app, ["check", "points.yaml", "--html", "report.html"])
sys.__stdout__.write(json.dumps([picture, done.exit_code, done.output]))
"""


def test_a_check_and_an_alert_need_no_maps(tmp_path: Path) -> None:
    done = subprocess.run(
        [sys.executable, "-W", "error::ImportWarning", "-c", SCRIPT],
        cwd=tmp_path, capture_output=True, text=True, timeout=200, check=False,
        env=os.environ | {"PYTHONPATH": str(ROOT), "SPATIAL_STORE": str(tmp_path / "store")},
    )  # fmt: skip
    assert done.returncode == 0, done.stderr
    assert "Traceback" not in done.stderr
    picture, code, printed = json.loads(done.stdout)
    assert picture is None
    assert code == 1
    assert "no_duplicate_geometries" in printed
    assert "<svg" in (tmp_path / "report.html").read_text(encoding="utf-8")


def test_the_readme_says_how_to_get_them() -> None:
    page = (ROOT / "README.md").read_text(encoding="utf-8")
    assert "`pip install '.[maps]'`" in page
    assert "\nmaps = [" in (ROOT / "pyproject.toml").read_text(encoding="utf-8")
