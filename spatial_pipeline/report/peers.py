"""Names that other tools have for the rules of the catalogue, and the search by them."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from functools import cache
from importlib.resources import files

import yaml

from spatial_pipeline.contract.rules import Rule, rule_id

DATA = "peer_names.yaml"


@cache
def peer_names() -> dict[str, dict[str, tuple[str, ...]]]:
    """Rule → tool → names of the rule there."""
    text = (files("spatial_pipeline.report") / DATA).read_text(encoding="utf-8")
    return {
        rule: {tool: tuple(map(str.strip, names.split(";"))) for tool, names in tools.items()}
        for rule, tools in yaml.safe_load(text).items()
    }


def peers_text(rule: str) -> str:
    """The names of a rule in one line: ``ArcGIS: Must Not Overlap; QGIS: must not overlap``."""
    tools = peer_names().get(rule, {})
    return "; ".join(f"{tool}: {', '.join(names)}" for tool, names in tools.items())


def description(model: type[Rule]) -> str:
    """Description of a rule, in one paragraph."""
    return " ".join((model.__doc__ or "").replace("``", "").split())


def search(text: str, models: Iterable[type[Rule]]) -> list[type[Rule]]:
    """Rules with all words of a text in their id, description or names elsewhere, best first.

    A rule of whose names the text is one comes before one that only mentions the words.
    """
    words = _words(text)
    found: list[tuple[int, int, type[Rule]]] = []
    for model in models:
        identity = rule_id(model)
        rank = _rank(" ".join(words), words, identity, description(model), peer_names())
        if rank is not None:
            found.append((rank, len(found), model))
    return [model for _, _, model in sorted(found, key=lambda f: f[:2])]


def _rank(
    phrase: str,
    words: list[str],
    rule: str,
    about: str,
    peers: Mapping[str, Mapping[str, tuple[str, ...]]],
) -> int | None:
    """Smaller for a better match; None for no match."""
    tools = peers.get(rule, {})
    names = [" ".join(_words(n)) for names in tools.values() for n in names]
    identity = " ".join(_words(rule))
    if phrase in (identity, *names):
        return 0
    if phrase in identity or any(phrase in n for n in names):
        return 1
    every = " ".join([identity, *names, *(t.lower() for t in tools), *_words(about)])
    return 2 if words and all(w in every for w in words) else None


def _words(text: str) -> list[str]:
    return re.findall(r"[a-z0-9]+", text.lower())


__all__ = ["description", "peer_names", "peers_text", "search"]
