"""A JSON schema validator that follows ``discriminator`` where another one tries every branch.

A contract's rules are ``oneOf`` more than a hundred models. Each requires another constant of the
discriminator, so that no branch but the named one can hold; ``test_usable.py`` says so of the
schema, and tries both validators on every rule.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import jsonschema
from jsonschema.validators import extend

FULL = jsonschema.Draft202012Validator


def _one_of(
    validator: Any, branches: Any, instance: Any, schema: Any
) -> Iterator[jsonschema.ValidationError]:
    if "discriminator" not in schema:
        yield from FULL.VALIDATORS["oneOf"](validator, branches, instance, schema)
        return
    found = schema["discriminator"]
    value = instance.get(found["propertyName"]) if isinstance(instance, dict) else None
    reference = found["mapping"].get(value) if isinstance(value, str) else None
    if reference is None:
        yield jsonschema.ValidationError(f"{instance!r} is of no branch")
    else:
        yield from validator.descend(instance, {"$ref": reference})


Discriminated: Any = extend(FULL, {"oneOf": _one_of})
