"""Writes docs/contract.md, docs/commands.md and docs/settings.md from the code.

``python docs/make_reference.py`` writes all three; a test compares them with what it would write.
"""

from __future__ import annotations

import inspect
import re
import types
import typing
from collections.abc import Iterator
from pathlib import Path
from typing import Any, get_args

from pydantic import BaseModel, ByteSize, SecretStr
from pydantic_core import PydanticUndefined

from spatial_pipeline.contract.geometry_type import GeometryTypeName
from spatial_pipeline.contract.models import MODELS, RasterContract, VectorContract
from spatial_pipeline.contract.operations import OperationsContract
from spatial_pipeline.contract.spelling import one_of
from spatial_pipeline.report.catalogue import type_words
from spatial_pipeline.settings import Settings

DOCS = Path(__file__).parent
WIDTH = 80
MANY = 20
"""Words of a key above which they have a section of their own."""
LONG = 600
"""Characters of the JSON schema of such a key."""
COLUMN_TYPES = {
    "string": "text",
    "integer": "whole numbers of any size",
    "int8, int16, int32, int64": "whole numbers of exactly this size",
    "uint8, uint16, uint32, uint64": "whole numbers of exactly this size, without a sign",
    "number": "whole numbers, floating-point numbers and decimals of any size",
    "float": "floating-point numbers of any size",
    "float32, float64": "floating-point numbers of exactly this size",
    "decimal": "decimals of any precision",
    "boolean": "true or false",
    "date": "days without a time",
    "time": "times of day",
    "datetime": "timestamps, with or without a time zone",
    "binary": "bytes",
    "any": "any type: the column must exist",
}
MARKER = """## Markers of tests

The pytest plugin of this package registers one marker, `spatial_async`: see
[tests of your own data](async-testing.md).
"""
CONTRACT = """# Contract

This page is generated from the models (`make docs`). A contract is one YAML document with the keys
`type` and `attributes`; a file can hold several, separated by `---`. In a project made by `dg`,
the same file is the component file `defs.yaml`. `spatial-pipeline schema` prints the JSON schema,
with which editors complete and check contracts. The rules and their parameters are on [a page of
their own](rules.md).

Durations are a number and a unit: `90s`, `5m`, `26h`, `7d`, `2w`. Cron expressions have five
fields: minute, hour, day of the month, month, day of the week. Relative paths are relative to the
contract file.
"""
COMMANDS = """# Commands

This page is generated from the command line (`make docs`); `spatial-pipeline COMMAND -h` prints
the same. Results go to stdout, everything else to stderr. Exit codes: 0 the command did its work
and everything passed; 1 something failed, is held or differs, as the command says; 2 a mistake in
the call, in a contract or in the environment; 130 ended by Ctrl-C.

`spatial-pipeline --install-completion` sets up completion for your shell; names of datasets,
partitions, versions and rules are completed, too.
"""
SETTINGS = """# Settings

This page is generated from `settings.py` (`make docs`). All variables are optional, and an empty
variable counts as unset. Lists are JSON (`["/data", "https://example.com/"]`); sizes are bytes, or
have a unit (`2GiB`, `500MB`). A variable that is nearly one of these is named on stderr and
ignored.

Dagster's own variables, such as `DAGSTER_HOME`, are those of its documentation; see
[deployment](../deploy/README.md#the-environment).
"""


def pages() -> dict[str, str]:
    """Content of each page by its file name."""
    return {
        "contract.md": _ended(_contract()),
        "commands.md": _ended(_commands()),
        "settings.md": _ended(_settings()),
    }


def _ended(lines: Iterator[str]) -> str:
    return "\n".join(lines).rstrip("\n") + "\n"


def _contract() -> Iterator[str]:
    yield CONTRACT
    own = {n: set(m.model_fields) for n, m in MODELS.items()}
    yield f"## {VectorContract.type_name}\n\n{_doc(VectorContract)}\n"
    yield from _keys(VectorContract)
    yield f"## {RasterContract.type_name}\n\n{_doc(RasterContract)} It has the keys of a vector"
    missing = sorted(own[VectorContract.type_name] - own[RasterContract.type_name])
    yield f"dataset except {_listed(missing)}; its source has neither `where` nor `query`.\n"
    yield f"## {OperationsContract.type_name}\n\n{_doc(OperationsContract)}\n"
    yield from _keys(OperationsContract)
    nested = dict.fromkeys((*_nested(VectorContract), *_nested(OperationsContract)))
    for model in nested:
        yield f"### {model.__name__}\n\n{_doc(model)}\n"
        yield from _keys(model)
    yield "## Types of columns\n"
    yield "The rule [columns](rules.md#columns) takes these types in `schema`:\n"
    yield "| type | values |\n| --- | --- |"
    for names, meaning in COLUMN_TYPES.items():
        yield f"| {', '.join(f'`{n}`' for n in names.split(', '))} | {meaning} |"
    yield "\nA trailing `!` on the name of the column (`road_id!: integer`) means: never null.\n"
    yield "## Types of geometries\n"
    yield f"`publish.geometry` takes {_words(GeometryTypeName)}\n"
    yield MARKER


def _words(annotated: Any) -> str:
    """Names that a text type accepts, from its JSON schema."""
    from pydantic import TypeAdapter

    schema = TypeAdapter(annotated).json_schema()
    if "enum" in schema:
        return f"{_listed(schema['enum'])}."
    return f"text that matches `{schema['pattern']}`."


def _doc(model: type[BaseModel]) -> str:
    return " ".join((model.__doc__ or "").split())


def _nested(model: type[BaseModel]) -> Iterator[type[BaseModel]]:
    """Models below a model, in the order of its keys; rules have a page of their own."""
    for name, field in model.model_fields.items():
        if name == "rules":
            continue
        for found in _models(field.annotation):
            yield found
            yield from _nested(found)


def _models(annotation: Any) -> Iterator[type[BaseModel]]:
    if inspect.isclass(annotation) and issubclass(annotation, BaseModel):
        yield annotation
    for argument in get_args(annotation):
        if not isinstance(argument, (str, int, type(None), types.NoneType)):
            yield from _models(argument)


def _keys(model: type[BaseModel]) -> Iterator[str]:
    schema = model.model_json_schema(by_alias=True)
    yield "| key | type | default | meaning |\n| --- | --- | --- | --- |"
    for name, field in model.model_fields.items():
        key = field.alias or name
        inner = list(dict.fromkeys(m.__name__ for m in _models(field.annotation)))
        if name == "rules":
            kind = "list of [rules](rules.md)"
        elif inner:
            links = [f"[{n}](#{n.lower()})" for n in inner]
            plain = _plain(schema["properties"][key], schema.get("$defs", {}))
            kind = one_of([*plain, *links])
        elif len(str(schema["properties"][key])) > LONG:
            kind = "a [type](#types-of-geometries)"
        else:
            kind = type_words(schema["properties"][key], schema.get("$defs", {}))
        default = "required" if field.is_required() else _default(schema["properties"][key])
        yield _row(f"`{key}`", kind, default, field.description or "")
    yield ""


def _plain(schema: dict[str, Any], definitions: dict[str, Any]) -> list[str]:
    """Alternatives of a key that are no mappings."""
    options = schema.get("anyOf", [schema])
    found = [o for o in options if "$ref" not in o and o.get("type") not in {"null", "array"}]
    if any(len(o.get("enum", ())) > MANY for o in found):
        return ["a [type](#types-of-geometries)"]
    return [type_words(o, definitions) for o in found]


def _default(schema: dict[str, Any]) -> str:
    value = schema.get("default")
    if isinstance(value, str) and re.fullmatch(r"P(T\d+[SMH]|\d+D)", value):
        value = value.removeprefix("P").removeprefix("T").lower()
    if value is None or value in ([], {}, ""):
        return ""
    if isinstance(value, bool):
        return f"`{str(value).lower()}`"
    return f"`{value}`" if isinstance(value, (str, int, float)) else ""


def _commands() -> Iterator[str]:
    from typer.main import get_command

    from spatial_pipeline.cli import app

    yield COMMANDS
    yield from _group("spatial-pipeline", get_command(app))


def _group(path: str, command: Any) -> Iterator[str]:
    """A command as its help prints it, and those below it."""
    yield f"## {path}\n"
    options = {"help_option_names": ["-h", "--help"], "terminal_width": WIDTH}
    context = command.make_context(path, [], resilient_parsing=True, **options)
    yield f"```text\n{command.get_help(context).rstrip()}\n```\n"
    for name, below in getattr(command, "commands", {}).items():
        yield from _group(f"{path} {name}", below)


def _settings() -> Iterator[str]:
    yield SETTINGS
    yield "| variable | type | default | meaning |\n| --- | --- | --- | --- |"
    texts = _attributes(Settings)
    for name, field in Settings.model_fields.items():
        default = field.default
        if field.default_factory is not None or default in (None, PydanticUndefined):
            shown = "by the machine" if field.default_factory is not None else ""
        else:
            shown = f"`{str(default).lower() if isinstance(default, bool) else default}`"
        text = texts[name][0].upper() + texts[name][1:]
        yield _row(f"`SPATIAL_{name.upper()}`", _setting_type(field.annotation), shown, text)


def _attributes(model: type[BaseModel]) -> dict[str, str]:
    """Texts of the section Attributes of a docstring."""
    section = inspect.cleandoc(model.__doc__ or "").partition("Attributes:\n")[2]
    found = re.findall(r"^    (\w+): (.*(?:\n {8}.*)*)", section, re.MULTILINE)
    return {name: " ".join(text.replace("``", "`").split()) for name, text in found}


def _setting_type(annotation: Any) -> str:
    options = [a for a in get_args(annotation) if a is not types.NoneType] or [annotation]
    if typing.get_origin(annotation) is typing.Literal:
        return one_of([f"`{a}`" for a in get_args(annotation)])
    words = {
        ByteSize: "size",
        SecretStr: "text, secret",
        Path: "path",
        bool: "`true` or `false`",
        int: "whole number",
        float: "number",
        str: "text",
    }
    first = options[0]
    if typing.get_origin(annotation) is tuple or typing.get_origin(first) is tuple:
        return "list of texts"
    return words.get(first, "text")


def _listed(names: Any) -> str:
    return ", ".join(f"`{n}`" for n in names)


def _row(*cells: str) -> str:
    return "| " + " | ".join(c.replace("|", r"\|") for c in cells) + " |"


if __name__ == "__main__":
    for file, content in pages().items():
        (DOCS / file).write_text(content, encoding="utf-8")
