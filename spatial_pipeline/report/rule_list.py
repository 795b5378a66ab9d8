"""The catalogue as a table for terminals, and the search in it; neither needs a model of a rule."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from typing import TYPE_CHECKING

from spatial_pipeline.contract.rule_index import RuleSummary
from spatial_pipeline.report.peers import peer_names, peers_text

if TYPE_CHECKING:
    from rich.table import Table


def rule_list(rules: Iterable[RuleSummary], *, peers: bool = False) -> Table:
    """Rules in the order given.

    Args:
        rules: the rules.
        peers: show the names that other tools have for them instead of their family.

    """
    from rich.text import Text

    from spatial_pipeline.report.tables import terminal_table

    if peers:
        table = terminal_table("Rule", "Elsewhere", "Passes when", wrap=2)
    else:
        table = terminal_table("Rule", "Family", "For", "Passes when")
    for rule in rules:
        about = [peers_text(rule.rule)] if peers else [rule.family.value, " ".join(rule.kinds)]
        table.add_row(*(Text(cell) for cell in (rule.rule, *about, rule.description)))
    return table


def search(text: str, rules: Iterable[RuleSummary]) -> list[RuleSummary]:
    """Rules with all words of a text in their id, description or names elsewhere, best first.

    A rule of whose names the text is one comes before one that only mentions the words.
    """
    words = _words(text)
    found: list[tuple[int, int, RuleSummary]] = []
    for rule in rules:
        rank = _rank(" ".join(words), words, rule, peer_names().get(rule.rule, {}))
        if rank is not None:
            found.append((rank, len(found), rule))
    return [rule for _, _, rule in sorted(found, key=lambda f: f[:2])]


def _rank(
    phrase: str, words: list[str], rule: RuleSummary, tools: Mapping[str, tuple[str, ...]]
) -> int | None:
    """Smaller for a better match; None for no match."""
    names = [" ".join(_words(n)) for names in tools.values() for n in names]
    identity = " ".join(_words(rule.rule))
    if phrase in (identity, *names):
        return 0
    if phrase in identity or any(phrase in n for n in names):
        return 1
    about = _words(rule.description)
    every = " ".join([identity, *names, *(t.lower() for t in tools), *about])
    return 2 if words and all(w in every for w in words) else None


def _words(text: str) -> list[str]:
    return re.findall(r"[a-z0-9]+", text.lower())


__all__ = ["rule_list", "search"]
