"""Writes docs/rules.md from the catalogue: python docs/make_rules.py > docs/rules.md."""

from __future__ import annotations

import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from spatial_pipeline.contract.rules import CATALOGUE
from spatial_pipeline.contract.vocabulary import Family
from spatial_pipeline.report.catalogue import left_out, rule_json

IMAGES = Path(__file__).parent / "images" / "rules"
FAMILIES = {
    Family.METADATA: "File format, schema and attributes.",
    Family.VALIDITY: "Single geometries and pixels.",
    Family.TOPOLOGY: "Spatial relations between features.",
    Family.PARITY: "Comparison of a dataset with another delivery of the same data.",
}
HEAD = """# Rules

This page is generated from the catalogue (`make docs`). On the command line,
`spatial-pipeline rules` and `spatial-pipeline rules ID` print the same.

Lengths and areas are in units of the CRS. `other` is `{dataset: name}`, the published version of
another dataset, or `{uri: …, layer: …}`, another source. For every tolerance, defects of at most
that size are accepted; raising it never adds violations. The message of a result says which
features could not be checked. A parameter that a rule cannot use is reported as a mistake in the
contract, with its line.

*Elsewhere* are the names that other tools have for a rule; `spatial-pipeline rules TEXT` searches
them. Pictures show a layer that passes (left) and one that fails (right), violations in red
and the other dataset dashed; they are drawn from the tests of the rules.
[The table](rule-table.md) lists cases and oracles of all rules;
[public specifications](specifications.md) are ready sets of them.
"""


def page() -> str:
    """The page."""
    return "\n".join([HEAD, *_common(), *(line for f in Family for line in _family(f))])


def _family(family: Family) -> Iterator[str]:
    yield f"## {family.value}\n\n{FAMILIES[family]}\n"
    for model in CATALOGUE.values():
        if model.family is not family:
            continue
        facts = rule_json(model)
        yield f"### {facts['rule']}\n\n{facts['description']}\n"
        kinds = " and ".join(facts["kinds"])
        element = facts["iso_element"]
        yield f"For {kinds} data; scope {facts['scope']}; ISO 19157: {element}.\n"
        if facts["peers"]:
            yield f"Elsewhere: {facts['peers']}.\n"
        if (IMAGES / f"{facts['rule']}.svg").exists():
            yield f"![{facts['rule']}: passes, fails](images/rules/{facts['rule']}.svg)\n"
        if facts["needs"]:
            yield f"Needs {facts['needs']}.\n"
        if names := left_out(model):
            yield f"Cannot use {'; '.join(names)}.\n"
        own = [p for p in facts["parameters"] if not p["common"]]
        if own:
            yield from _table(own)


def _common() -> Iterator[str]:
    everything = next(m for m in CATALOGUE.values() if not left_out(m))
    facts = rule_json(everything)
    yield "## Every rule\n"
    yield from _table([p for p in facts["parameters"] if p["common"]])


def _table(parameters: list[dict[str, Any]]) -> Iterator[str]:
    yield "| parameter | type | default | meaning |\n| --- | --- | --- | --- |"
    for parameter in parameters:
        default = "required" if parameter["required"] else _shown(parameter["default"])
        cells = (f"`{parameter['name']}`", parameter["type"], default, parameter["description"])
        yield "| " + " | ".join(c.replace("|", r"\|") for c in cells) + " |"
    yield ""


def _shown(value: Any) -> str:
    if value is None or value in ([], {}):
        return ""
    if isinstance(value, bool):
        return str(value).lower()
    return f"{value:g}" if isinstance(value, float) else str(value)


if __name__ == "__main__":
    sys.stdout.write(page().rstrip("\n") + "\n")
