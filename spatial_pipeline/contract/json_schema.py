"""JSON schema of a contract file, so that editors complete and check it."""

from __future__ import annotations

from functools import cache
from typing import Any

from pydantic import BaseModel
from pydantic.json_schema import models_json_schema

from spatial_pipeline.contract.models import MODELS
from spatial_pipeline.contract.operations import OperationsContract
from spatial_pipeline.contract.rules import CATALOGUE
from spatial_pipeline.contract.rules.by_identity import BRIEF
from spatial_pipeline.contract.specification import specifications

DRAFT = "https://json-schema.org/draft/2020-12/schema"


def schema() -> dict[str, Any]:
    """JSON schema (draft 2020-12) of one document of a contract file.

    ``type`` decides which attributes there are; a dataset of one kind is offered the rules for its
    kind only. What needs more than one key (``min`` and ``max``, names that must differ) is beyond
    a schema and told by loading.
    """
    kinds = {**MODELS, OperationsContract.type_name: OperationsContract}
    models = [*kinds.values(), *CATALOGUE.values()]
    names, together = models_json_schema([(m, "validation") for m in models], by_alias=True)
    definitions: dict[str, Any] = together["$defs"]
    for model in CATALOGUE.values():
        rule = _definition(definitions, names[model, "validation"])
        rule["required"] = sorted({*rule.get("required", ()), "rule"})
        rule["description"] = f"{model.family.value.capitalize()}: {rule['description']}"
    for dataset in MODELS.values():
        attributes = _definition(definitions, names[dataset, "validation"])
        fitting = {
            name: names[model, "validation"]["$ref"]
            for name, model in CATALOGUE.items()
            if dataset.kind in model.kinds
        }
        attributes["properties"]["rules"]["items"] = {
            "type": "object",
            "required": ["rule"],
            "properties": {"rule": {"enum": list(fitting), "description": "Id of the rule."}},
            "discriminator": {"propertyName": "rule", "mapping": fitting},
            "oneOf": [{"$ref": reference} for reference in fitting.values()],
            "allOf": [
                _without(name, sorted(CATALOGUE[name].unusable(dataset.kind)))
                for name in fitting
                if len(CATALOGUE[name].kinds) > 1
            ],
        }
        entry = attributes["properties"]["uses"]["items"]["anyOf"]
        entry[0] = {"enum": [n for n, s in specifications().items() if s.kind == dataset.kind]}
    return {
        "$schema": DRAFT,
        "title": "Contract of a spatial dataset",
        "type": "object",
        "required": ["type", "attributes"],
        "properties": {
            "type": {"enum": list(kinds), "description": "Kind of dataset, or operations."},
            "attributes": {"type": "object", "description": "The contract."},
            "template_vars_module": {"description": "Dagster: module with template variables."},
            "requirements": {"description": "Dagster: environment that the component needs."},
            "post_processing": {"description": "Dagster: changes to the built definitions."},
        },
        "additionalProperties": False,
        "oneOf": [
            {
                "properties": {
                    "type": {"const": name},
                    "attributes": {"$ref": names[model, "validation"]["$ref"]},
                }
            }
            for name, model in kinds.items()
        ],
        "$defs": definitions,
    }


def attributes_schema(kind: type[BaseModel]) -> dict[str, Any]:
    """JSON schema of the attributes of a contract, with the definitions that it refers to.

    The id of a rule selects its schema. So ``dg check yaml`` reports the parameter that is wrong;
    of alternatives, a validator only says that none fits.

    Args:
        kind: the model of a kind of dataset, or of the operations.

    """
    if kind not in MODELS.values() or BRIEF.get():
        return kind.model_json_schema()
    names, together = _datasets()
    definitions = together["$defs"]
    attributes = _definition(definitions, names[kind, "validation"])
    properties = attributes["properties"]
    rules = {**properties["rules"], "items": _rules_by_name(properties["rules"]["items"])}
    return {**attributes, "properties": {**properties, "rules": rules}, "$defs": definitions}


@cache
def _datasets() -> tuple[dict[Any, Any], dict[str, Any]]:
    """References and definitions of both kinds of datasets; rules, the costly part, are shared."""
    return models_json_schema([(m, "validation") for m in MODELS.values()])


def _rules_by_name(items: dict[str, Any]) -> dict[str, Any]:
    """A condition for each rule, in place of alternatives."""
    by_name: dict[str, str] = items["discriminator"]["mapping"]
    families: dict[str, list[str]] = {}
    for name in by_name:
        families.setdefault(CATALOGUE[name].family.value, []).append(name)
    return {
        "type": "object",
        "required": ["rule"],
        # In parts, so that a message about an unknown rule does not list the whole catalogue.
        "properties": {"rule": {"anyOf": [{"enum": known} for known in families.values()]}},
        "allOf": [
            {
                "if": {"required": ["rule"], "properties": {"rule": {"const": name}}},
                "then": {"$ref": reference},
            }
            for name, reference in by_name.items()
        ],
    }


def _without(rule: str, names: list[str]) -> dict[str, Any]:
    """Refuses what a rule for both kinds of data cannot use for one of them."""
    return {
        "if": {"required": ["rule"], "properties": {"rule": {"const": rule}}},
        "then": {"properties": dict.fromkeys(names, False)},
    }


def _definition(definitions: dict[str, Any], reference: dict[str, Any]) -> dict[str, Any]:
    found: dict[str, Any] = definitions[str(reference["$ref"]).rsplit("/", 1)[-1]]
    return found
