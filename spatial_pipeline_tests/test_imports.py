"""The import rule where import-linter cannot see: submodules of external packages and built-ins."""

from __future__ import annotations

import ast
import json
import os
import subprocess
import sys
import tomllib
from pathlib import Path

import pytest

import spatial_pipeline

PACKAGE = Path(spatial_pipeline.__file__).parent
CHECKS = sorted((PACKAGE / "check").rglob("*.py"))
IO_MODULES = {"pyarrow.csv", "pyarrow.dataset", "pyarrow.feather", "pyarrow.fs", "pyarrow.orc",
              "pyarrow.parquet", "socket", "subprocess", "tempfile"}  # fmt: skip
"""Modules of allowed packages that read or write."""
IO_CALLS = {"open", "read_bytes", "read_text", "write_bytes", "write_text", "fromfile", "memmap",
            "tofile", "read_parquet", "read_csv", "from_file", "to_file"}  # fmt: skip


HEAVY = ("asyncio", "dagster", "duckdb", "http.server", "matplotlib", "numpy", "pyarrow",
         "pydantic", "pyproj", "shapely", "spatial_pipeline.contract.rules",
         "yaml")  # fmt: skip
"""Modules that neither the help texts nor the list of rules need."""


UNUSED = ("PIL", "asyncpg", "boto3", "dagster", "distributed", "duckdb", "geopandas", "httpx2",
          "jinja2", "matplotlib", "obstore", "pandas", "psycopg2", "pyogrio", "rasterio",
          "spatial_pipeline.check.rules.topology.must_not_overlap",
          "spatial_pipeline.contract.rules.pixels",
          "spatial_pipeline.contract.rules.raster_metadata")  # fmt: skip
"""Modules that a check of features in a file does not need."""
CONTRACT = """
type: spatial_pipeline.VectorDataset
attributes:
  name: lines
  source: {uri: lines.geojson}
  key: [id]
  rules:
    - {rule: crs, equals: "EPSG:4326"}
    - {rule: geometry_type, any_of: [LineString]}
    - {rule: unique, columns: [id]}
    - {rule: valid_geometry}
    - {rule: must_not_self_intersect}
"""


def imported(tree: ast.AST) -> set[str]:
    names: set[str] = set()
    for node in ast.walk(tree):
        if isinstance(node, ast.Import):
            names |= {alias.name for alias in node.names}
        elif isinstance(node, ast.ImportFrom) and node.module:
            names |= {node.module} | {f"{node.module}.{alias.name}" for alias in node.names}
    return names


def called(tree: ast.AST) -> set[str]:
    functions = [node.func for node in ast.walk(tree) if isinstance(node, ast.Call)]
    return {f.attr for f in functions if isinstance(f, ast.Attribute)} | {
        f.id for f in functions if isinstance(f, ast.Name)
    }


@pytest.mark.parametrize("path", CHECKS, ids=lambda p: str(p.relative_to(PACKAGE)))
def test_rules_neither_read_nor_write(path: Path) -> None:
    tree = ast.parse(path.read_text(encoding="utf-8"))
    assert not imported(tree) & IO_MODULES
    assert not called(tree) & IO_CALLS


def test_no_module_escapes_the_rule_about_dagster() -> None:
    settings = tomllib.loads((PACKAGE.parent / "pyproject.toml").read_text(encoding="utf-8"))
    contracts = settings["tool"]["importlinter"]["contracts"]
    bound = {
        module.removeprefix("spatial_pipeline.")
        for contract in contracts
        if "dagster" in contract.get("forbidden_modules", ())
        for module in contract["source_modules"]
    }
    found = {p.stem for p in PACKAGE.glob("*.py")} | {p.parent.name for p in PACKAGE.glob("*/*.py")}
    assert found - bound == {"__init__", "definitions", "orchestration"}


@pytest.mark.parametrize("arguments", [["--help"], ["check", "--help"], ["rules"]], ids=" ".join)
def test_commands_that_people_wait_for_load_what_they_use(arguments: list[str]) -> None:
    code = (
        "import sys\nfrom spatial_pipeline.cli import main\n"
        f"sys.argv[1:] = {arguments!r}\n"
        "try: main()\n"
        f"finally: print([m for m in {HEAVY!r} if m in sys.modules], file=sys.stderr)"
    )
    done = subprocess.run(
        [sys.executable, "-c", code], capture_output=True, text=True, check=True, timeout=120
    )
    assert done.stderr.splitlines()[-1] == "[]"


def test_a_check_of_features_loads_what_its_contract_uses(tmp_path: Path) -> None:
    lines = [{"type": "Feature", "properties": {"id": i},
              "geometry": {"type": "LineString", "coordinates": [[i, 0], [i, 1]]}}
             for i in range(3)]  # fmt: skip
    data = {"type": "FeatureCollection", "features": lines}
    (tmp_path / "lines.geojson").write_text(json.dumps(data), encoding="utf-8")
    (tmp_path / "lines.yaml").write_text(CONTRACT, encoding="utf-8")
    code = (
        "import sys\nfrom spatial_pipeline.cli import main\n"
        "sys.argv[1:] = ['check', 'lines.yaml']\n"
        "try: main()\n"
        f"finally: print([m for m in {UNUSED!r} if m in sys.modules], file=sys.stderr)"
    )
    done = subprocess.run(
        [sys.executable, "-c", code], capture_output=True, text=True, check=True, timeout=240,
        cwd=tmp_path, env={**os.environ, "SPATIAL_STORE": str(tmp_path / "store")},
    )  # fmt: skip
    assert done.stderr.splitlines()[-1] == "[]"


def test_the_product_runs_without_importing_dagster() -> None:
    code = (
        "import sys, spatial_pipeline, spatial_pipeline.pipeline.pipeline;"
        "import spatial_pipeline.check.engine.catalogue as c; c.load();"
        "print([m for m in sys.modules if m.split('.')[0] == 'dagster'])"
    )
    done = subprocess.run(
        [sys.executable, "-c", code], capture_output=True, text=True, check=True, timeout=120
    )
    assert done.stdout.strip() == "[]"
