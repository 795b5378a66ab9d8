"""One rule of the catalogue, with its parameters, as text and JSON."""

from __future__ import annotations

from typing import Any

from rich.console import Group, RenderableType
from rich.table import Table
from rich.text import Text

from spatial_pipeline.contract.rule_index import description_of
from spatial_pipeline.contract.rules import Rule, rule_id
from spatial_pipeline.contract.spelling import one_of
from spatial_pipeline.report.peers import peers_text
from spatial_pipeline.report.tables import terminal_table

COMMON = tuple(f.alias or name for name, f in Rule.model_fields.items() if name != "rule")


def rule_page(model: type[Rule]) -> RenderableType:
    """One rule with its parameters."""
    facts = rule_json(model)
    head = Table.grid(padding=(0, 2))
    for label, value in (
        ("family", facts["family"]),
        ("scope", facts["scope"]),
        ("for", " and ".join(facts["kinds"])),
        ("ISO 19157", facts["iso_element"]),
        ("needs", facts["needs"]),
        ("elsewhere", facts["peers"]),
        *(("without", text) for text in left_out(model)),
    ):
        if not value:
            continue
        head.add_row(Text(label, "dim"), Text(value))
    table = terminal_table("Parameter", "Type", "Default", "Meaning", wrap=3)
    for parameter in facts["parameters"]:
        default = "required" if parameter["required"] else _shown(parameter["default"])
        cells = (parameter["name"], parameter["type"], default, parameter["description"])
        table.add_row(*(Text(cell) for cell in cells))
    title = Text(facts["rule"], "bold")
    return Group(title, Text(facts["description"]), Text(), head, Text(), table)


def rule_json(model: type[Rule]) -> dict[str, Any]:
    """One rule as plain values: id, family, scope, kinds, ISO 19157 element, parameters."""
    schema = model.model_json_schema(by_alias=True)
    own = {
        name: f
        for field, f in model.model_fields.items()
        if (name := f.alias or field) != "rule" and name in schema["properties"]
    }
    order = sorted(own, key=lambda name: (name in COMMON, not own[name].is_required()))
    definitions = schema.get("$defs", {})
    return {
        "rule": rule_id(model),
        "family": model.family.value,
        "scope": model.scope.value,
        "kinds": sorted(model.kinds, reverse=True),
        "iso_element": model.iso_element,
        "description": description_of(model),
        "needs": model.needs.words if model.needs.groups else "",
        "peers": peers_text(rule_id(model)),
        "unusable": {kind: dict(model.unusable(kind)) for kind in sorted(model.kinds)},
        "parameters": [
            {
                "name": name,
                "type": type_words(schema["properties"][name], definitions),
                "required": own[name].is_required(),
                "default": schema["properties"][name].get("default"),
                "description": own[name].description or "",
                "common": name in COMMON,
            }
            for name in order
        ],
    }


def left_out(model: type[Rule]) -> list[str]:
    """Common parameters that a rule cannot use: for rasters only where it has both kinds."""
    always = set.intersection(*(set(model.unusable(k)) for k in model.kinds))
    found = [", ".join(n for n in COMMON if n in always)] if always else []
    for kind in sorted(model.kinds):
        names = [n for n in COMMON if n in model.unusable(kind) and n not in always]
        if names:
            found.append(f"{', '.join(names)} (for {kind} data)")
    return found


def type_words(schema: dict[str, Any], definitions: dict[str, Any]) -> str:
    """The type of a JSON schema in a few words."""
    if "$ref" in schema:
        name = str(schema["$ref"]).rsplit("/", 1)[-1]
        found = definitions[name]
        if "properties" in found:
            return f"{{{', '.join(found['properties'])}}}"
        return type_words(found, definitions)
    if "anyOf" in schema:
        options = [type_words(s, definitions) for s in schema["anyOf"] if s.get("type") != "null"]
        if "number" in options:
            options = [o for o in options if o != "whole number"]
        return one_of(list(dict.fromkeys(options)))
    if "enum" in schema:
        return one_of([str(v) for v in schema["enum"]])
    kind = str(schema.get("type", "any"))
    if kind == "array":
        items = schema.get("items") or schema.get("prefixItems", [{}])[0]
        return f"list of {type_words(items, definitions)}"
    if kind == "object":
        return "mapping"
    words = {"string": "text", "integer": "whole number", "boolean": "true or false"}
    return str(schema.get("format") or words.get(kind, kind))


def _shown(value: Any) -> str:
    if value is None or value == []:
        return ""
    if isinstance(value, bool):
        return str(value).lower()
    return f"{value:g}" if isinstance(value, float) else str(value)
