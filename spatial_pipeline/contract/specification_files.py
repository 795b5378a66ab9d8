"""Files of the public specifications that the package has, without their content."""

from __future__ import annotations

from functools import cache
from importlib.resources import files

FOLDER = "specifications"
ENDING = ".yaml"


@cache
def specification_names() -> tuple[str, ...]:
    """Names of all specifications, in alphabetical order."""
    names = (path.name for path in (files(__package__) / FOLDER).iterdir())
    return tuple(sorted(n.removesuffix(ENDING) for n in names if n.endswith(ENDING)))


def specification_text(name: str) -> str:
    """YAML text of a specification."""
    return (files(__package__) / FOLDER / f"{name}{ENDING}").read_text(encoding="utf-8")


__all__ = ["specification_names", "specification_text"]
