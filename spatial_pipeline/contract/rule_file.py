"""Data that are checked without a contract of their own: a file of rules makes one for them."""

from __future__ import annotations

import re
from collections.abc import Collection, Mapping
from pathlib import Path, PurePosixPath
from typing import Any

from spatial_pipeline.contract.errors import AttributePlace, Mistake, raise_all
from spatial_pipeline.contract.load import ENDINGS, is_contract
from spatial_pipeline.contract.models import MODELS, Contract, RasterContract, VectorContract
from spatial_pipeline.contract.rules import CATALOGUE
from spatial_pipeline.contract.spelling import closest, shown
from spatial_pipeline.contract.validate import judge
from spatial_pipeline.contract.yaml_positions import (
    Document,
    DocumentError,
    LinePositions,
    Location,
    read_documents,
)

RASTERS = (".tif", ".tiff", ".vrt", ".nc", ".img", ".asc", ".png", ".jpg", ".jpeg", ".jp2")
"""Suffixes of rasters; it counts where the rules are for both kinds of data."""
URI = re.compile(r"[a-z][a-z0-9+.-]+://|postgresql:", re.IGNORECASE)
OF_ITS_OWN = frozenset({"name", "source"})
"""Keys of a contract that the data bring."""


def is_data(given: str) -> bool:
    """True for an argument that names data: a URI, or a file that is no contract."""
    path = Path(given)
    if URI.match(given):
        return True
    return path.is_file() and path.suffix not in ENDINGS and not is_contract(path)


def contract_for(
    source: str, rules: Path, layer: str | None = None, taken: Collection[str] = ()
) -> Contract:
    """A contract of some data, with the rules of a file.

    Args:
        source: path, relative to the working directory, or URI.
        rules: a YAML file: a list of rules; a mapping of keys of a contract such as ``rules`` and
            ``key``; or a whole contract, of which name and source are left out.
        layer: layer of a container with several.
        taken: names of datasets that are taken.

    Raises:
        ContractError: the file has mistakes; one line for each, ``file:line: what is wrong``.

    """
    document, prefix = _read(rules)
    value = document.value
    written: Mapping[str, Any] = {"rules": value} if isinstance(value, list) else value
    type_name: object = None
    if prefix == ():
        type_name, written = value.get("type"), value.get("attributes")
    attributes = written
    if isinstance(written, Mapping):
        uri = source if URI.match(source) else str(Path(source).absolute())
        named = {"uri": uri} | ({} if layer is None else {"layer": layer})
        attributes = {k: v for k, v in written.items() if k not in OF_ITS_OWN}
        attributes |= {"name": dataset_name(source, layer, taken), "source": named}
    place = AttributePlace(rules, _moved(document.lines, prefix))
    if type_name is None:
        type_name = _kind(source, attributes).type_name
    contract, mistakes = judge(type_name, attributes, place)
    raise_all(mistakes)
    if contract is None:
        raise_all([Mistake(rules, None, "no contract can be made of this file")])
        raise AssertionError
    return contract


def dataset_name(source: str, layer: str | None = None, taken: Collection[str] = ()) -> str:
    """A name for a dataset, from the layer or the file; numbered where it is taken."""
    last = re.split(r"[/!\\]", source.split("?")[0].rstrip("/"))[-1]
    text = re.sub(r"[^A-Za-z0-9_]+", "_", layer or last.split(".")[0]).strip("_")[:90]
    name = text if text and not text[0].isdigit() else f"dataset_{text}".rstrip("_")
    number = 2
    unique = name
    while unique in taken:
        unique, number = f"{name}_{number}", number + 1
    return unique


def _read(path: Path) -> tuple[Document, Location]:
    """The document, and where its root stands in a whole contract."""
    mistake = ""
    line: int | None = None
    try:
        documents = read_documents(path.read_text(encoding="utf-8"))
    except OSError as exc:
        mistake = _missing(path, exc)
    except UnicodeDecodeError:
        mistake = "cannot be read: it is not text in UTF-8"
    except DocumentError as exc:
        mistake, line = f"is not YAML: {exc}", exc.line
    else:
        if len(documents) == 1:
            value = documents[0].value
            if isinstance(value, list):
                return documents[0], ("attributes", "rules")
            if isinstance(value, dict):
                return documents[0], () if "attributes" in value else ("attributes",)
            mistake = f"expected a list of rules, got {shown(value)}"
        else:
            mistake = f"expected one document with a list of rules, found {len(documents)}"
    raise_all([Mistake(path, line, mistake)])
    raise AssertionError


def _missing(path: Path, exc: OSError) -> str:
    if path.exists():
        return f"cannot be read: {exc.strerror}"
    beside = path.parent.glob("*") if path.parent.is_dir() else ()
    return f"no such file{closest(path.name, [p.name for p in beside if p.is_file()]).hint}"


def _moved(lines: LinePositions, prefix: Location) -> LinePositions:
    """Lines of a document as if it stood below a location."""
    return LinePositions(
        lines.first,
        {(*prefix, *place): line for place, line in lines.keys.items()},
        {(*prefix, *place): line for place, line in lines.values.items()},
    )


def _kind(source: str, attributes: Any) -> type[VectorContract] | type[RasterContract]:
    """The kind that all rules are for; where that is both, what the name of the file says."""
    rules = attributes.get("rules") if isinstance(attributes, Mapping) else None
    ids = (
        [r.get("rule") for r in rules if isinstance(r, Mapping)] if isinstance(rules, list) else []
    )
    kinds = [CATALOGUE[i].kinds for i in ids if isinstance(i, str) and i in CATALOGUE]
    fitting = [m for m in MODELS.values() if all(m.kind in k for k in kinds)]
    if len(fitting) == 1:
        return fitting[0]
    suffix = PurePosixPath(source.split("?")[0]).suffix.lower()
    return RasterContract if suffix in RASTERS else VectorContract
