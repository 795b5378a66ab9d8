"""Words for messages: spelling suggestions, lists, and values as a person would write them."""

from __future__ import annotations

import difflib
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Any

LONGEST = 60


@dataclass(frozen=True)
class Suggestion:
    """The closest right spelling, None when nothing is close."""

    word: str | None

    @property
    def hint(self) -> str:
        """``; did you mean 'x'?``, or nothing."""
        return "" if self.word is None else f"; did you mean {self.word!r}?"


def closest(word: object, words: Iterable[str]) -> Suggestion:
    """The word closest in spelling, case and hyphens aside."""
    by_form = {_form(w): w for w in words}
    found = difflib.get_close_matches(_form(str(word)), by_form, n=1, cutoff=0.6)
    return Suggestion(by_form[found[0]] if found else None)


def one_of(phrases: Sequence[str]) -> str:
    """``a, b or c``."""
    if len(phrases) < 2:
        return "".join(phrases)
    return f"{', '.join(phrases[:-1])} or {phrases[-1]}"


def quoted(words: Iterable[str]) -> str:
    """``'a', 'b' or 'c'``."""
    return one_of([repr(w) for w in words])


def shown(value: Any) -> str:
    """A value of a YAML file, short."""
    if value is None:
        return "nothing"
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, list):
        return "a list" if value else "an empty list"
    if isinstance(value, dict):
        return "a mapping" if value else "an empty mapping"
    text = repr(value) if isinstance(value, str) else str(value)
    return text if len(text) <= LONGEST else f"{text[:LONGEST]}…"


def _form(word: str) -> str:
    return word.strip().lower().replace("-", "_").replace(" ", "_")
