"""Public specifications as text and JSON."""

from __future__ import annotations

import math
from typing import Any

import yaml
from rich.console import Group, RenderableType
from rich.table import Table
from rich.text import Text

from spatial_pipeline.contract.specification import Specification, specifications
from spatial_pipeline.report.tables import terminal_table


def specification_table() -> Table:
    """All specifications."""
    table = terminal_table("Specification", "For", "Rules", "Title")
    for found in specifications().values():
        row = (found.name, found.kind, str(len(found.requirements)), found.title)
        table.add_row(*map(Text, row))
    return table


def specification_page(found: Specification) -> RenderableType:
    """One specification with its requirements and parameters."""
    requirements = terminal_table("Check", "Rule", "Demanded by", wrap=2)
    for one in found.requirements:
        rule = {k: v for k, v in one.rule.items() if k not in ("rule", "name")}
        about = yaml.safe_dump(rule, default_flow_style=True, sort_keys=False, width=math.inf)
        shown = f"{one.rule['rule']} {about.strip()}" if rule else str(one.rule["rule"])
        requirements.add_row(*map(Text, (one.check_name, shown, one.cites)))
    parameters = terminal_table("Parameter", "Default", "Meaning", wrap=2)
    for parameter in found.parameters.values():
        default = "" if parameter.default is None else str(parameter.default)
        parameters.add_row(*map(Text, (parameter.name, default, parameter.means)))
    return Group(
        Text(found.name, "bold"), Text(f"{found.title}: {found.document}"), Text(found.url, "dim"),
        Text(), requirements, Text(), parameters,
    )  # fmt: skip


def specification_json(found: Specification) -> dict[str, Any]:
    """One specification as plain values."""
    return {
        "specification": found.name,
        "title": found.title,
        "kind": found.kind,
        "document": found.document,
        "url": found.url,
        "parameters": [
            {"name": p.name, "default": p.default, "description": p.means}
            for p in found.parameters.values()
        ],
        "requirements": [
            {"check": r.check_name, "cites": r.cites, "rule": r.rule} for r in found.requirements
        ],
    }


__all__ = ["specification_json", "specification_page", "specification_table"]
