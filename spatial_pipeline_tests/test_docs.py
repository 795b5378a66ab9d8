"""Documentation that can fall behind the code, and may not."""

from __future__ import annotations

import ast
import json
import re
import runpy
from importlib.resources import files
from pathlib import Path
from typing import get_args

import pytest

from spatial_pipeline.contract import rule_index
from spatial_pipeline.contract.json_schema import schema as contract_schema
from spatial_pipeline.contract.rules import CATALOGUE
from spatial_pipeline.contract.rules.metadata import ColumnType
from spatial_pipeline.settings import Settings

ROOT = Path(__file__).parents[1]
PAGES = [ROOT / "README.md", *sorted((ROOT / "docs").rglob("*.md")), ROOT / "deploy" / "README.md"]


def test_the_page_of_rules_is_the_catalogue() -> None:
    page = runpy.run_path(str(ROOT / "docs" / "make_rules.py"))["page"]
    written = (ROOT / "docs" / "rules.md").read_text(encoding="utf-8")
    assert written == page().rstrip("\n") + "\n", "run: make docs"


def test_the_index_of_rules_is_the_catalogue() -> None:
    index = runpy.run_path(str(ROOT / "docs" / "make_rule_index.py"))["index"]
    written = files(rule_index.__package__) / rule_index.DATA
    assert written.read_text(encoding="utf-8") == index(), "run: make docs"


@pytest.mark.parametrize("page", ["contract.md", "commands.md", "settings.md"])
def test_the_pages_of_reference_are_the_code(page: str) -> None:
    pages = runpy.run_path(str(ROOT / "docs" / "make_reference.py"))["pages"]()
    written = (ROOT / "docs" / page).read_text(encoding="utf-8")
    assert written == pages[page], "run: make docs"


def test_the_figures_of_speed_are_those_of_a_run() -> None:
    page = runpy.run_path(str(ROOT / "docs" / "make_speed.py"))["page"]
    written = (ROOT / "docs" / "speed.md").read_text(encoding="utf-8")
    found = json.loads((ROOT / "docs" / "speed.json").read_text(encoding="utf-8"))
    assert written == page(written, found), "run: python docs/make_speed.py"


def test_every_type_of_a_column_has_a_meaning() -> None:
    types = runpy.run_path(str(ROOT / "docs" / "make_reference.py"))["COLUMN_TYPES"]
    assert sorted(", ".join(types).split(", ")) == sorted(get_args(ColumnType))


def test_every_key_of_the_json_schema_is_on_the_page_of_contracts() -> None:
    page = (ROOT / "docs" / "contract.md").read_text(encoding="utf-8")
    documented = set(re.findall(r"^\| `(\w+)` \|", page, re.MULTILINE))
    definitions = contract_schema()["$defs"]
    rules = {model.__name__ for model in CATALOGUE.values()}
    contracts = {"VectorContract", "RasterContract", "OperationsContract"}
    below = {name for name in definitions if f"### {name}\n" in page} | contracts
    keys = {k for name in below - rules for k in definitions[name]["properties"]}
    assert keys - documented == set()


@pytest.mark.parametrize("page", PAGES, ids=lambda p: str(p.relative_to(ROOT)))
def test_links_lead_somewhere(page: Path) -> None:
    targets = re.findall(r"\]\(([^)]+)\)", page.read_text(encoding="utf-8"))
    for target in targets:
        if re.match(r"https?:", target):
            continue
        path, _, anchor = target.partition("#")
        linked = page.parent / path if path else page
        assert linked.exists(), target
        if anchor:
            headings = re.findall(r"^#+ (.+)$", linked.read_text(encoding="utf-8"), re.MULTILINE)
            assert anchor in [re.sub(r"[^\w-]", "", h.lower().replace(" ", "-")) for h in headings]


@pytest.mark.parametrize("page", [*PAGES, ROOT / "CONTRIBUTING.md"], ids=lambda p: p.name)
def test_modules_that_pages_name_exist(page: Path) -> None:
    named = set(re.findall(r"`([\w/]+\.(?:py|jinja))`", page.read_text(encoding="utf-8")))
    rooms = [
        ROOT,
        *(ROOT / r for r in ("benchmarks", "spatial_pipeline", "spatial_pipeline_tests")),
    ]
    # Files of a project that a tutorial makes.
    named = {n for n in named if not n.partition("/")[0].endswith("_project")}
    assert [name for name in sorted(named) if not any((r / name).exists() for r in rooms)] == []


def test_the_readme_lists_every_environment_variable() -> None:
    page = (ROOT / "README.md").read_text(encoding="utf-8")
    table = page.partition("## Environment")[2].partition("\n## ")[0]
    listed = re.findall(r"`(SPATIAL_[A-Z_]+)`", table)
    assert sorted(listed) == sorted(f"SPATIAL_{name.upper()}" for name in Settings.model_fields)


def test_messages_deny_with_not() -> None:
    """``is not a number``, as a reader would say and search it, and not ``is no number``."""
    wrong = re.compile(r"(?<!here )\b(is|are|was|were) (no|none)\b(?! longer)")
    found = []
    for module in sorted((ROOT / "spatial_pipeline").rglob("*.py")):
        tree = ast.parse(module.read_text(encoding="utf-8"))
        comments = {id(n.value) for n in ast.walk(tree) if isinstance(n, ast.Expr)}
        found += [
            f"{module.name}:{n.lineno}: {n.value}"
            for n in ast.walk(tree)
            if isinstance(n, ast.Constant) and isinstance(n.value, str) and id(n) not in comments
            if wrong.search(n.value)
        ]
    assert found == []
