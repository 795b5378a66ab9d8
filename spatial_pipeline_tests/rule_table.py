"""The table of all rules: form, cases and oracle of its test, and the names that peers have for it.

    python -m spatial_pipeline_tests.rule_table > docs/rule-table.md

It is read from the sources of rules and tests, so nothing in it can be claimed that is not there.
"""

from __future__ import annotations

import ast
import importlib
import sys
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from spatial_pipeline.contract.rules import CATALOGUE, rule_id
from spatial_pipeline.report.peers import peer_names, peers_text

ROOT = Path(__file__).parents[1]
RULES = ROOT / "spatial_pipeline" / "check" / "rules"
TESTS = ROOT / "spatial_pipeline_tests" / "check" / "rules"
OUTSIDE = {"published_matches_staged": "judged inside the publishing transaction"}
HEAD = """# Rules and their tests

Generated: `python -m spatial_pipeline_tests.rule_table > docs/rule-table.md`.

*Form* is the decorator or base class of the check. *Passes* and *fails* are layers or geometries
that must pass, and that must fail with exactly the violations of the case; *tests* are test
functions. *Oracle* says how random data are judged a second time: by a slow function of the test
(function), or inside a property test (hypothesis).
"""


@dataclass(frozen=True)
class Row:
    """Facts about one rule, from the sources.

    Attributes:
        rule: its id.
        form: form of its check.
        passes: cases that pass.
        fails: cases that fail.
        tests: test functions of its module.
        oracle: how random data are judged a second time; empty for not at all.
    """

    rule: str
    form: str
    passes: int = 0
    fails: int = 0
    tests: int = 0
    oracle: str = ""


def row(rule: str) -> Row:
    """One rule."""
    if rule in OUTSIDE:
        return Row(rule, OUTSIDE[rule])
    family = CATALOGUE[rule].family.value
    check = ast.parse((RULES / family / f"{rule}.py").read_text(encoding="utf-8"))
    test = ast.parse((TESTS / family / f"test_{rule}.py").read_text(encoding="utf-8"))
    functions: list[ast.AST] = [
        n for n in ast.walk(test)
        if isinstance(n, (ast.FunctionDef, ast.AsyncFunctionDef)) and n.name.startswith("test_")
    ]  # fmt: skip
    keywords = {"passes": 0, "fails": 0}
    decorators = [d for f in functions for d in getattr(f, "decorator_list", ())]
    decorators = [d for f in functions for d in getattr(f, "decorator_list", ())]
    oracle = any("given" in ast.unparse(d) for d in decorators)
    function = False
    for node in ast.walk(test):
        if isinstance(node, ast.keyword) and node.arg in keywords:
            keywords[node.arg] += len(node.value.elts) if isinstance(node.value, ast.List) else 1
        function |= isinstance(node, ast.keyword) and node.arg == "oracle"
        if isinstance(node, ast.Assign) and "laws(" in ast.unparse(node.value):
            functions.append(node)
    if functions and not keywords["passes"]:
        # Cases that a helper makes, as for rules that differ in one word.
        module = importlib.import_module(f"spatial_pipeline_tests.check.rules.{family}.test_{rule}")
        for cases in (v.cases for v in vars(module).values() if hasattr(v, "cases")):
            keywords = {n: found + len(getattr(cases, n)) for n, found in keywords.items()}
            function |= cases.oracle is not None
    return Row(
        rule, _form(check), keywords["passes"], keywords["fails"], len(functions),
        "function" if function else "hypothesis" if oracle else "",
    )  # fmt: skip


def page() -> str:
    """The page."""
    lines = [HEAD, "| rule | form | passes | fails | tests | oracle | elsewhere |",
             "| --- | --- | --- | --- | --- | --- | --- |"]  # fmt: skip
    lines += [_line(row(rule)) for rule in every()]
    return "\n".join(lines) + "\n"


def every() -> list[str]:
    """The rules of the package, in the order of the catalogue."""
    own = {i for m in CATALOGUE.custom.modules.values() for i in _ids(m)}
    return [*(i for i in CATALOGUE if i not in own), *(i for i in OUTSIDE if i not in CATALOGUE)]


def missing() -> set[str]:
    """Rules of the list of rules that have neither a check nor another place."""
    return set(peer_names()) - set(every())


def _ids(module: object) -> Iterator[str]:
    for value in vars(module).values():
        if isinstance(value, type) and "rule" in getattr(value, "model_fields", {}):
            yield rule_id(value)


def _form(check: ast.Module) -> str:
    """Name of the form that a check has."""
    for node in ast.walk(check):
        if isinstance(node, (ast.FunctionDef, ast.ClassDef)):
            for decorator in node.decorator_list:
                name = ast.unparse(decorator).split("(")[0]
                if name.endswith(("_rule", "_comparison")):
                    return name
                if name == "evaluates" and isinstance(node, ast.ClassDef):
                    return ast.unparse(node.bases[0]).split("[")[0]
        if isinstance(node, ast.Expr) and isinstance(node.value, ast.Call):
            called = node.value.func
            if isinstance(called, ast.Call):
                called = called.func
            name = ast.unparse(called).split("(")[0]
            if name.endswith(("_rule", "_comparison")):
                return name
    return "function"


def _line(found: Row) -> str:
    counts = [str(n or "") for n in (found.passes, found.fails, found.tests)]
    cells = [f"`{found.rule}`", found.form, *counts, found.oracle, peers_text(found.rule)]
    return "| " + " | ".join(c.replace("|", r"\|") for c in cells) + " |"


if __name__ == "__main__":
    sys.stdout.write(page())
