"""YAML documents with the line of every key and value, for messages that point at the place."""

from __future__ import annotations

import contextlib
from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Any

import yaml
from yaml.constructor import ConstructorError

FAST_LOADER: type[Any] = getattr(yaml, "CSafeLoader", yaml.SafeLoader)
"""The safe loader of libyaml, where PyYAML was built with it."""
Location = tuple[str | int, ...]
MAX_VALUES = 200_000
"""Values in a document, aliases counted as often as they are used."""


@dataclass(frozen=True)
class LinePositions:
    """Lines of one document.

    Attributes:
        first: 1-based line on which the document starts.
        keys: line of the key (list items: of the value) by its location.
        values: line of the value by its location.

    """

    first: int = 1
    keys: dict[Location, int] = field(default_factory=dict)
    values: dict[Location, int] = field(default_factory=dict)

    def of(self, location: Location, *, key: bool = False) -> int:
        """Line of the value (or of its key) at a location, or of what is nearest around it."""
        for written in (location, (*location[:-1], str(location[-1])) if location else location):
            if written in self.values:
                return (self.keys if key else self.values)[written]
        while location:
            location = location[:-1]
            if location in self.keys:
                return self.keys[location]
        return self.first


@dataclass(frozen=True)
class Document:
    """One document of a file.

    Attributes:
        value: content, as plain Python values.
        lines: where everything is.
        doubles: (line, key, line of its first appearance) of keys that appear twice in a mapping.

    """

    value: Any
    lines: LinePositions
    doubles: tuple[tuple[int, str, int], ...] = ()


class DocumentError(Exception):
    """The text is not YAML; ``line`` says where that shows."""

    def __init__(self, message: str, line: int) -> None:
        super().__init__(message)
        self.line = line


class _Loader(yaml.SafeLoader):
    """The loader that Dagster's components are read with, and errors that know their place."""

    def construct_object(self, node: yaml.Node, deep: bool = False) -> Any:
        try:
            return super().construct_object(node, deep)
        except (ValueError, OverflowError) as exc:
            raise ConstructorError(None, None, str(exc), node.start_mark) from exc


def read_documents(text: str) -> list[Document]:
    """All documents of a YAML text; empty ones are left out.

    Raises:
        DocumentError: the text is no YAML, or would expand without bound.

    """
    if FAST_LOADER is not yaml.SafeLoader:
        with contextlib.suppress(yaml.YAMLError, DocumentError, RecursionError, UnicodeError,
                                 ValueError, OverflowError):  # fmt: skip
            return _documents(text, FAST_LOADER)
    # The parser in Python takes ten times as long, and its errors are for people.
    return _documents(text, _Loader)


def _documents(text: str, loading: type[Any]) -> list[Document]:
    line = 1
    try:
        loader = loading(text)
        try:
            documents: list[Document] = []
            while loader.check_node():
                node = loader.get_node()
                if node is None:
                    continue
                line = node.start_mark.line + 1
                _bounded(node)
                doubles = tuple(_doubles(node, set()))
                value = loader.construct_document(node)
                lines = LinePositions(line)
                _collect(node, (), lines)
                if value is not None:
                    documents.append(Document(value, lines, doubles))
            return documents
        finally:
            loader.dispose()
    except yaml.MarkedYAMLError as exc:
        mark = exc.problem_mark or exc.context_mark
        parts = [p for p in (exc.problem, exc.context) if p]
        message = ", ".join(parts) or "not understood"
        if exc.problem_mark is not None and exc.context_mark is not None:
            begin = exc.context_mark.line + 1
            message += f" that begins on line {begin}" if begin <= exc.problem_mark.line else ""
        if "'\\t'" in message:
            message += ": indent with spaces"
        raise DocumentError(message, line if mark is None else mark.line + 1) from exc
    except yaml.YAMLError as exc:
        raise DocumentError(str(exc).splitlines()[0], line) from exc
    except RecursionError as exc:
        msg = "nested too deeply"
        raise DocumentError(msg, line) from exc


def _bounded(node: yaml.Node) -> None:
    """Refuses what refers to itself, and what aliases blow up."""
    sizes: dict[int, int] = {}
    open_nodes: set[int] = set()

    def size(node: yaml.Node) -> int:
        if isinstance(node, yaml.ScalarNode):
            return 1
        if id(node) in open_nodes:
            msg = "an alias refers to a node that contains it"
            raise DocumentError(msg, node.start_mark.line + 1)
        if id(node) not in sizes:
            open_nodes.add(id(node))
            sizes[id(node)] = 1 + sum(size(child) for child in _children(node))
            open_nodes.remove(id(node))
        return sizes[id(node)]

    if size(node) > MAX_VALUES:
        msg = f"more than {MAX_VALUES} values"
        raise DocumentError(msg, node.start_mark.line + 1)


def _children(node: yaml.Node) -> Iterator[yaml.Node]:
    if isinstance(node, yaml.MappingNode):
        for pair in node.value:
            yield from pair
    elif isinstance(node, yaml.SequenceNode):
        yield from node.value


def _doubles(node: yaml.Node, seen: set[int]) -> Iterator[tuple[int, str, int]]:
    """Keys that appear twice; before merge keys are resolved, which may repeat a key rightly."""
    if id(node) in seen:
        return
    seen.add(id(node))
    if isinstance(node, yaml.MappingNode):
        lines: dict[str, int] = {}
        for key, _ in node.value:
            if not isinstance(key, yaml.ScalarNode):
                continue
            line = key.start_mark.line + 1
            if key.value in lines and key.value != "<<":
                yield line, key.value, lines[key.value]
            lines.setdefault(key.value, line)
    for child in _children(node):
        yield from _doubles(child, seen)


def _collect(node: yaml.Node, location: Location, lines: LinePositions) -> None:
    """Lines of a node and everything below it; the last of two equal keys counts, as in YAML."""
    lines.values[location] = node.start_mark.line + 1
    lines.keys.setdefault(location, node.start_mark.line + 1)
    if isinstance(node, yaml.MappingNode):
        for key, value in node.value:
            if isinstance(key, yaml.ScalarNode):
                below = (*location, key.value)
                lines.keys[below] = key.start_mark.line + 1
                _collect(value, below, lines)
    elif isinstance(node, yaml.SequenceNode):
        for index, value in enumerate(node.value):
            _collect(value, (*location, index), lines)
