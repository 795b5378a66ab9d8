"""Every snippet of every page is right as far as that can be known without running it."""

from __future__ import annotations

import ast
import json
import re
import tomllib
from pathlib import Path
from typing import Any

import duckdb
import kubernetes_validate
import pytest
import yaml
from dagster._config import process_config, resolve_to_config_type
from dagster._core.instance.config import dagster_instance_config_schema

from spatial_pipeline.contract.load import load
from spatial_pipeline.contract.models import MODELS
from spatial_pipeline.contract.operations import OperationsContract
from spatial_pipeline_tests.pages import (
    GENERATED,
    Snippet,
    inline,
    pages,
    parse,
    snippets,
    words_of,
)
from spatial_pipeline_tests.test_deploy_kubernetes import KUBERNETES

KINDS = {
    "console",
    "sh",
    "python",
    "yaml",
    "json",
    "toml",
    "sql",
    "dockerfile",
    "text",
    "{toctree}",
}
SKETCHES = {"CONTRIBUTING.md"}
"""Pages whose Python shows a form, with … for what is left out."""
VECTOR, RASTER = MODELS
WRITTEN = [p for p in pages() if p not in GENERATED]


RUN = {"docs/custom-rules.md": "contract/test_custom.py"}
"""Pages whose files mean something together only, each with the test that runs them."""


def of(*kinds: str) -> list[Any]:
    """Snippets of some kinds as parameters."""
    found = [s for page in pages() if page not in RUN for s in snippets(page, *kinds)]
    return [pytest.param(s, id=f"{s.page}:{s.line}") for s in found]


@pytest.mark.parametrize("page", pages())
def test_every_block_names_its_kind(page: str) -> None:
    assert {s.kind for s in snippets(page)} <= KINDS
    fences = re.findall(r"^ *```", words_of(page), re.MULTILINE)
    assert len(fences) == 2 * len(snippets(page))
    blank = re.sub(r"^( *)```.*?^\1```$", "", words_of(page), flags=re.MULTILINE | re.DOTALL)
    assert re.findall(r"\n\n {4,}\S.*", blank) == [], "a block without a fence"


@pytest.mark.parametrize("snippet", of("console", "sh"))
def test_every_command_has_the_options_that_are_typed(snippet: Snippet) -> None:
    for command, _ in snippet.commands():
        parse(command)


@pytest.mark.parametrize("page", WRITTEN)
def test_commands_within_sentences_have_their_options(page: str) -> None:
    for _, code in inline(page):
        if re.match(r"(spatial-pipeline|make|dg|dagster|pip|python -m) [a-z]", code):
            words = code.replace("…", " ")
            named = re.fullmatch(r"[a-z-]+( [a-z-]+){1,2}", code)
            parse(f"{words} --help" if named and code.startswith("spatial") else words)


def contract(folder: Path, attributes: dict[str, Any]) -> None:
    """Loads a contract with some attributes, of the kind that takes them."""
    source = {"uri": "roads.gpkg"} | attributes.get("source", {})
    raster = source["uri"].endswith((".tif", ".nc"))
    base: dict[str, Any] = {"name": "roads"}
    if "catch_up" in attributes:
        source["uri"] = "{partition}.gpkg"
        base |= {"partitions": {"daily": "2026-01-01"}, "schedule": "0 3 * * *"}
    elif "partitions" in attributes:
        source["uri"] = "{partition}.gpkg"
    elif "{partition}" in source["uri"]:
        base["partitions"] = {"static": ["north"]}
    value = {
        "type": RASTER if raster else VECTOR, "attributes": base | attributes | {"source": source},
    }  # fmt: skip
    if attributes.keys() <= OperationsContract.model_fields.keys() and "keep" not in str(
        attributes
    ):
        value = {"type": OperationsContract.type_name, "attributes": attributes}
    path = folder / "contract.yaml"
    path.write_text(yaml.safe_dump(value, sort_keys=False), encoding="utf-8")
    load(path)


def parts(text: str) -> list[dict[str, Any]]:
    """The mappings of a text, in which a key may stand several times for several examples."""
    starts = [m.start() for m in re.finditer(r"^\w", text, re.MULTILINE)]
    pieces = [text[a:b] for a, b in zip(starts, [*starts[1:], len(text)], strict=True)]
    read = [yaml.safe_load(p) for p in pieces]
    if len({k for r in read for k in r}) == len(read):
        return [{k: v for r in read for k, v in r.items()}]
    return read


@pytest.mark.parametrize("snippet", of("yaml"))
def test_yaml_is_what_it_is_shown_for(snippet: Snippet, tmp_path: Path) -> None:
    if snippet.text.startswith("type: "):
        path = tmp_path / "contract.yaml"
        text = snippet.text.replace(", …,", ",")
        path.write_text(text, encoding="utf-8")
        load(path)
        return
    for value in parts(snippet.text):
        if "apiVersion" in value:
            kubernetes_validate.validate(value, KUBERNETES, strict=True)
        elif "dagster.yaml" in snippet.before:
            schema = resolve_to_config_type(dagster_instance_config_schema())
            result = process_config(schema, value)
            assert result.success, result.errors
        else:
            contract(tmp_path, value)


@pytest.mark.parametrize("snippet", of("json", "toml", "python", "sql", "dockerfile"))
def test_the_rest_is_read_by_its_own_parser(snippet: Snippet) -> None:
    text = snippet.text
    if snippet.kind == "json":
        json.loads(text)
    elif snippet.kind == "toml":
        tomllib.loads(text)
    elif snippet.kind == "python":
        ast.parse(text.replace("…", "...") if snippet.page in SKETCHES else text)
    elif snippet.kind == "sql":
        assert duckdb.extract_statements(re.sub(r"::regclass", "", text))
    else:
        instructions = "FROM|COPY|RUN|ENV|USER|WORKDIR|CMD|ENTRYPOINT|#"
        assert all(re.match(rf"({instructions})\b", line) for line in text.splitlines())


KEYS = {k for m in (*MODELS.values(), OperationsContract) for k in m.model_fields}


@pytest.mark.parametrize("page", WRITTEN)
def test_keys_of_contracts_within_sentences_are_right(page: str, tmp_path: Path) -> None:
    for _, code in inline(page):
        key, _, value = code.partition(": ")
        if key in KEYS - {"alerts", "inventory"} and value and "…" not in value:
            contract(tmp_path, yaml.safe_load(code))
