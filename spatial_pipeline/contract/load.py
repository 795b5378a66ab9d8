"""Contract files → contracts, or every mistake in them at once."""

from __future__ import annotations

import os
import re
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from spatial_pipeline.contract.errors import AttributePlace, Mistake, raise_all
from spatial_pipeline.contract.models import MODELS, Contract, VectorContract
from spatial_pipeline.contract.operations import OperationsContract, judge_operations
from spatial_pipeline.contract.references import Declared, declared, reference_mistakes
from spatial_pipeline.contract.spelling import closest, quoted, shown
from spatial_pipeline.contract.validate import judge
from spatial_pipeline.contract.yaml_positions import Document, DocumentError, read_documents
from spatial_pipeline.errors import ContractError

ENDINGS = (".yaml", ".yml")
PACKAGE = "spatial_pipeline."
TYPES = (*MODELS, OperationsContract.type_name)
COMPONENT_FILES = ("defs.yaml", "component.yaml")
"""Files that Dagster loads; one that it cannot read fails the whole code location."""
COMPONENT_KEYS = ("type", "attributes", "template_vars_module", "requirements", "post_processing")
"""Keys of a Dagster component file."""


@dataclass(frozen=True)
class _Read:
    """One YAML document, or a file that is none.

    Attributes:
        contracts: the contract, when it is right by itself.
        datasets: the dataset that it declares, right or wrong.
        mistakes: everything that is wrong.

    """

    contracts: tuple[Contract, ...] = ()
    datasets: tuple[Declared, ...] = ()
    mistakes: tuple[Mistake, ...] = ()


def find(paths: Iterable[Path]) -> list[Path]:
    """The contract files among files and folders: files as given, of folders those that are ours.

    A folder is searched recursively for YAML files whose ``type`` is one of ours; component files
    of other types are left alone, and so are hidden folders.

    Raises:
        ContractError: a path does not exist, or a folder holds no contract.

    """
    files, mistakes = _find(paths)
    raise_all(mistakes)
    return files


def load(path: Path) -> list[Contract]:
    """The contracts of one file, one a YAML document.

    Raises:
        ContractError: the file has mistakes; one line for each, ``file:line: what is wrong``.

    """
    parts = _read(path)
    raise_all(_mistakes(parts))
    return _contracts(parts)


def load_project(paths: Iterable[Path]) -> tuple[list[Contract], list[Contract]]:
    """The contracts of files and folders that belong together, their references checked.

    Where a file refers to a dataset that is not among them, its neighbours are asked: the other
    contracts in the same folder and, as Dagster has one folder a dataset, those in the folders
    beside it.

    Returns:
        The contracts of these files, and those of neighbours that they refer to.

    Raises:
        ContractError: every mistake of every file.

    """
    files, mistakes = _find(paths)
    parts = [part for file in files for part in _read(file)]
    neighbours = _neighbours(files, parts)
    mistakes += _mistakes(parts) + _across(parts, neighbours)
    raise_all(_in_order(mistakes, files))
    return _contracts(parts), _contracts(neighbours)


def load_datasets(
    paths: Iterable[Path], names: Sequence[str]
) -> tuple[list[Contract], list[Contract], list[Mistake]]:
    """The contracts of some datasets and of those that they refer to.

    Args:
        paths: files and folders that declare them.
        names: names of the datasets.

    Returns:
        The contracts of these files and those of neighbours that are needed, and the mistakes of
        all other contracts, which stop nothing.

    Raises:
        ContractError: every mistake of the contracts that are needed, and names that are declared
            nowhere, then with the mistakes that may hide the name of a dataset.

    """
    files, unfound = _find(paths)
    parts = [part for file in files for part in _read(file)]
    neighbours = _neighbours(files, parts)
    known = {d.name: d for p in (*neighbours, *parts) for d in p.datasets}
    wanted: set[str] = set()
    left = list(names)
    while left:
        name = left.pop()
        if name in known and name not in wanted:
            wanted.add(name)
            left += [r.dataset for r in known[name].references]
    needed = [p for p in parts if any(d.name in wanted for d in p.datasets)]
    others = [p for p in parts if p not in needed]
    beside = [p for p in neighbours if any(d.name in wanted for d in p.datasets)]
    # Compared with all of them, so that the nearest spelling is found among all names.
    places = {(m.path, m.line) for m in _across(needed, beside)}
    across = [m for m in _across(parts, neighbours) if (m.path, m.line) in places]
    mistakes = unfound + _mistakes(needed) + across
    ignored = _mistakes(others)
    unknown = [n for n in dict.fromkeys(names) if n not in known]
    if unknown:
        mistakes += _mistakes([p for p in others if not p.datasets])
    for name in unknown:
        text = f"there is no dataset {name!r}{closest(name, known).hint}"
        mistakes.append(Mistake(None, None, text))
    raise_all(_in_order(mistakes, files))
    return _contracts(needed), _contracts(beside), _in_order(ignored, files)


def parse_attributes(
    type_name: str, attributes: Mapping[str, Any], path: Path | None = None
) -> Contract:
    """A contract from the attributes of a component.

    Args:
        type_name: ``spatial_pipeline.VectorDataset`` or ``spatial_pipeline.RasterDataset``.
        attributes: plain values.
        path: the file they come from; messages then name the line, and relative URIs are relative
            to it.

    Raises:
        ContractError: every mistake, one line each.

    """
    document = _document_of(path, attributes.get("name"))
    place = AttributePlace(path, None if document is None else document.lines)
    contract, mistakes = judge(type_name, attributes, place)
    doubles = [] if document is None else _double_mistakes(document, path)
    raise_all([*doubles, *mistakes])
    if contract is None:
        msg = f"unknown type {type_name!r}"
        raise ContractError(msg)
    return contract


def parse_operations(attributes: Mapping[str, Any], path: Path | None = None) -> OperationsContract:
    """Operations from the attributes of a component.

    Args:
        attributes: plain values.
        path: the file they come from; messages then name the line.

    Raises:
        ContractError: every mistake, one line each.

    """
    document = _document_of(path, None)
    place = AttributePlace(path, None if document is None else document.lines)
    operations, mistakes = judge_operations(attributes, place)
    doubles = [] if document is None else _double_mistakes(document, path)
    raise_all([*doubles, *mistakes])
    if operations is None:
        msg = "no operations"
        raise ContractError(msg)
    return operations


def _find(paths: Iterable[Path]) -> tuple[list[Path], list[Mistake]]:
    found: dict[Path, Path] = {}
    mistakes: list[Mistake] = []
    for path in paths:
        if path.is_dir():
            inside = [file for file in _yaml_files(path) if is_contract(file)]
            if not inside:
                text = f"no contract in this folder: no YAML file has the type {quoted(MODELS)}"
                mistakes.append(Mistake(path, None, text))
            for file in inside:
                found.setdefault(file.resolve(), file)
        elif path.exists():
            found.setdefault(path.resolve(), path)
        else:
            near = closest(path.name, _beside(path)).hint
            mistakes.append(Mistake(path, None, f"no such file or folder{near}"))
    return list(found.values()), mistakes


def _beside(path: Path) -> list[str]:
    """Names of contracts and folders beside a path that does not exist."""
    if not path.parent.is_dir():
        return []
    found = (p for p in path.parent.iterdir() if not p.name.startswith("."))
    return [p.name for p in found if p.is_dir() or p.suffix in ENDINGS]


def _read(path: Path) -> list[_Read]:
    try:
        documents = read_documents(path.read_text(encoding="utf-8"))
    except OSError as exc:
        return [_Read(mistakes=(Mistake(path, None, f"cannot be read: {exc.strerror}"),))]
    except UnicodeDecodeError as exc:
        line = exc.object[: exc.start].count(b"\n") + 1
        text = f"cannot be read: it is not UTF-8 (byte {exc.start}): save it in this encoding"
        return [_Read(mistakes=(Mistake(path, line, text),))]
    except DocumentError as exc:
        return [_Read(mistakes=(Mistake(path, exc.line, f"not YAML: {exc}"),))]
    if not documents:
        text = "the file is empty: it needs the keys 'type' and 'attributes'"
        return [_Read(mistakes=(Mistake(path, 1, text),))]
    return [_read_document(document, path) for document in documents]


def _contracts(parts: Iterable[_Read]) -> list[Contract]:
    return [contract for part in parts for contract in part.contracts]


def _mistakes(parts: Iterable[_Read]) -> list[Mistake]:
    return [mistake for part in parts for mistake in part.mistakes]


def _across(parts: Sequence[_Read], neighbours: Sequence[_Read]) -> list[Mistake]:
    """Mistakes between datasets, told for the files that were given."""
    known = {d.place.path for p in parts for d in p.datasets}
    datasets = [d for p in (*parts, *neighbours) for d in p.datasets]
    return [m for m in reference_mistakes(datasets) if m.path in known]


def _in_order(mistakes: Iterable[Mistake], files: Sequence[Path]) -> list[Mistake]:
    order = {file: index for index, file in enumerate(files)}
    return sorted(mistakes, key=lambda m: (order.get(m.path, -1) if m.path else -1, m.line or 0))


def _read_document(document: Document, path: Path) -> _Read:
    place = AttributePlace(path, document.lines)
    mistakes = _double_mistakes(document, path)
    value = document.value
    if not isinstance(value, dict):
        text = f"expected the keys 'type' and 'attributes', got {shown(value)}"
        return _Read(mistakes=(*mistakes, place.mistake((), text)))
    value = dict(value)
    for key in list(value):
        near = closest(key, COMPONENT_KEYS)
        if key in COMPONENT_KEYS:
            continue
        hint = near.hint
        if near.word is None and key in VectorContract.model_fields:
            hint = "; it belongs below 'attributes'"
        mistakes.append(place.mistake((key,), f"unknown key {str(key)!r}{hint}", key=True))
        if near.word is not None:
            value.setdefault(near.word, value[key])
    kind = value.get("type")
    if isinstance(kind, str) and closest(kind, TYPES).word == OperationsContract.type_name:
        if kind != OperationsContract.type_name:
            text = f"unknown type {shown(kind)}{closest(kind, TYPES).hint}"
            mistakes.append(place.mistake(("type",), text))
        return _Read(mistakes=(*mistakes, *judge_operations(value.get("attributes"), place)[1]))
    if kind is None:
        mistakes.append(place.mistake((), f"missing key 'type': {quoted(MODELS)}", key=True))
    if "attributes" not in value:
        mistakes.append(
            place.mistake((), "missing key 'attributes': it holds name, source and rules", key=True)
        )
        value["attributes"] = None if kind in MODELS else {}
    if value["attributes"] is None and "attributes" not in document.value:
        return _Read(mistakes=tuple(mistakes))
    contract, wrong = judge(kind, value["attributes"], place)
    mistakes = sorted((*mistakes, *wrong), key=lambda m: m.line or 0)
    dataset = declared(kind, value["attributes"], place)
    return _Read(
        () if contract is None or mistakes else (contract,),
        () if dataset is None else (dataset,),
        tuple(mistakes),
    )


def _neighbours(files: Sequence[Path], parts: Sequence[_Read]) -> list[_Read]:
    """The datasets beside these files that they refer to, directly or through each other."""
    declared_here = [d for part in parts for d in part.datasets]
    own = {d.name for d in declared_here}
    wanted = {r.dataset for d in declared_here for r in d.references} - own
    if not wanted:
        return []
    folders = {f.resolve().parent for f in files}
    candidates = {c for f in folders for c in (*f.glob("*.y*ml"), *f.parent.glob("*/defs.y*ml"))}
    given = {f.resolve() for f in files}
    by_name: dict[str, _Read] = {}
    for candidate in sorted(candidates - given):
        if candidate.suffix in ENDINGS and is_contract(candidate):
            for part in _read(candidate):
                by_name.update({d.name: part for d in part.datasets if d.name not in own})
    chosen: set[str] = set()
    while wanted:
        name = wanted.pop()
        if name in by_name and name not in chosen:
            chosen.add(name)
            wanted |= {r.dataset for d in by_name[name].datasets for r in d.references}
    return [part for name, part in by_name.items() if name in chosen]


def _double_mistakes(document: Document, path: Path | None) -> list[Mistake]:
    return [
        Mistake(path, line, f"the key {key!r} is there already, on line {first}")
        for line, key, first in document.doubles
    ]


def _document_of(path: Path | None, name: Any) -> Document | None:
    """The document of a file that defines a dataset; None when there is none."""
    if path is None:
        return None
    try:
        documents = read_documents(path.read_text(encoding="utf-8"))
    except (OSError, UnicodeDecodeError, DocumentError):
        return None
    for document in documents:
        value = document.value
        attributes = value.get("attributes") if isinstance(value, dict) else None
        named = isinstance(attributes, dict) and attributes.get("name") == name
        if named or len(documents) == 1:
            return document
    return None


def _yaml_files(folder: Path) -> Iterator[Path]:
    for current, folders, files in os.walk(folder):
        folders[:] = sorted(f for f in folders if not f.startswith(".") and f != "__pycache__")
        yield from (Path(current) / f for f in sorted(files) if f.endswith(ENDINGS))


def is_contract(path: Path) -> bool:
    """True for a file that is meant as a contract, even one that cannot be parsed."""
    loaded = path.name in COMPONENT_FILES
    try:
        text = path.read_text(encoding="utf-8")
    except UnicodeDecodeError:
        return loaded
    except OSError:
        return False
    try:
        values = [d.value for d in read_documents(text)]
    except DocumentError:
        ours = rf"^type:\s*['\"]?{re.escape(PACKAGE)}"
        return loaded or re.search(ours, text, re.MULTILINE) is not None
    if not values:
        return loaded
    for value in values:
        if loaded and (not isinstance(value, dict) or "type" not in value):
            return True
        if not isinstance(value, dict):
            continue
        kind = value.get("type")
        if isinstance(kind, str) and (kind.startswith(PACKAGE) or closest(kind, TYPES).word):
            return True
        attributes = value.get("attributes")
        if kind is None and isinstance(attributes, dict) and {"source", "rules"} & set(attributes):
            return True
    return False
