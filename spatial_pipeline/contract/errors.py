"""Mistake in a contract file, and its position there."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from spatial_pipeline.contract.yaml_positions import LinePositions, Location
from spatial_pipeline.errors import ContractError


@dataclass(frozen=True)
class Mistake:
    """One mistake; as text ``file:line: what is wrong``.

    Attributes:
        path: the file; None for attributes that come from elsewhere.
        line: 1-based line, None when unknown.
        text: description of the mistake.

    """

    path: Path | None
    line: int | None
    text: str

    @property
    def where(self) -> str:
        """``file:line``, as far as it is known."""
        parts = [] if self.path is None else [shown_path(self.path)]
        return ":".join(parts if self.line is None else [*parts, str(self.line)])

    def __str__(self) -> str:
        text = " ".join(self.text.splitlines())
        return f"{self.where}: {text}" if self.where else text


@dataclass(frozen=True)
class AttributePlace:
    """Position of the attributes of a contract in its file.

    Attributes:
        path: the file, None when there is none.
        lines: lines of the document, None when there is none.

    """

    path: Path | None = None
    lines: LinePositions | None = None

    def mistake(self, location: Location, text: str, *, key: bool = False) -> Mistake:
        """A mistake at a location of the document."""
        line = None if self.lines is None else self.lines.of(location, key=key)
        return Mistake(self.path, line, text)


def raise_all(mistakes: Sequence[Mistake]) -> None:
    """Raises one error for all mistakes, one line each; does nothing when there are none.

    Raises:
        ContractError: there are mistakes.

    """
    if mistakes:
        raise ContractError("\n".join(dict.fromkeys(str(m) for m in mistakes)))


def shown_path(path: Path) -> str:
    """A path as short as it stays right: relative to the working directory when it is below."""
    try:
        return str(path.relative_to(Path.cwd())) if path.is_absolute() else str(path)
    except ValueError:
        return str(path)
