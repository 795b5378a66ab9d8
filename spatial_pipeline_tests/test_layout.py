"""The layout of the package: rooms, one module a rule, one meaning a class name."""

from __future__ import annotations

import ast
import subprocess
import sys
from collections import defaultdict
from pathlib import Path

import spatial_pipeline
from spatial_pipeline.contract.rules import CATALOGUE
from spatial_pipeline.distributed.worker import CODE

PACKAGE = Path(spatial_pipeline.__file__).parent
TESTS = Path(__file__).parent
ROOT = {"__init__", "cli", "definitions", "errors", "pytest_plugin", "settings"}
ROOMS = {"alert", "check", "commands", "contract", "defs", "distributed", "gate", "ingest", "model",
         "orchestration", "pipeline", "publish", "report", "runtime", "sources", "store",
         "testing"}  # fmt: skip
FAMILIES = ("metadata", "validity", "topology", "parity")
OUTSIDE = {"published_matches_staged"}
"""Rules that a stage judges by itself: this one inside the publishing transaction."""
LONGEST = 400
"""Lines of a module."""
NUMERIC = ("duckdb", "geopandas", "matplotlib", "numpy", "pandas", "pyarrow", "pyproj", "rasterio",
           "shapely")  # fmt: skip


def modules(folder: Path) -> set[str]:
    return {p.stem for p in folder.glob("*.py")}


def test_the_root_holds_the_entrances_and_the_rooms() -> None:
    assert modules(PACKAGE) == ROOT
    rooms = {p.name for p in PACKAGE.iterdir() if p.is_dir() and p.name != "__pycache__"}
    assert rooms == ROOMS


def test_every_rule_has_a_module_of_its_name_and_nothing_else_is_there() -> None:
    for family in FAMILIES:
        ids = {i for i, model in CATALOGUE.items() if model.family == family} - OUTSIDE
        assert modules(PACKAGE / "check/rules" / family) - {"__init__"} == ids


def test_every_rule_has_a_test_module_of_its_name() -> None:
    for family in FAMILIES:
        ids = {f"test_{i}" for i, model in CATALOGUE.items() if model.family == family} - {
            f"test_{i}" for i in OUTSIDE
        }
        assert ids <= modules(TESTS / "check/rules" / family)


def test_no_class_name_stands_twice() -> None:
    found: dict[str, list[str]] = defaultdict(list)
    for path in sorted(PACKAGE.rglob("*.py")):
        for node in ast.parse(path.read_text(encoding="utf-8")).body:
            if isinstance(node, ast.ClassDef):
                found[node.name].append(path.relative_to(PACKAGE).as_posix())
    assert {name: paths for name, paths in found.items() if len(paths) > 1} == {}


def test_the_contract_and_the_definitions_load_no_numeric_library() -> None:
    code = (
        "import sys, spatial_pipeline.definitions, spatial_pipeline.contract.load,"
        " spatial_pipeline.contract.json_schema;"
        f"print([m for m in {NUMERIC!r} if m in sys.modules])"
    )
    done = subprocess.run(
        [sys.executable, "-c", code], capture_output=True, text=True, check=True, timeout=120
    )
    assert done.stdout.strip() == "[]"


def test_every_part_of_the_code_digest_exists() -> None:
    assert [part for part in CODE if not (PACKAGE / part).exists()] == []


def test_no_module_is_longer_than_a_person_reads_at_once() -> None:
    lengths = {
        path.relative_to(PACKAGE).as_posix(): path.read_text(encoding="utf-8").count("\n")
        for path in sorted(PACKAGE.rglob("*.py"))
    }
    assert {path: n for path, n in lengths.items() if n > LONGEST} == {}
