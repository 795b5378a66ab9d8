"""Names that other tools have for the rules of the catalogue."""

from __future__ import annotations

from functools import cache
from importlib.resources import files

DATA = "peer_names.yaml"


@cache
def peer_names() -> dict[str, dict[str, tuple[str, ...]]]:
    """Rule → tool → names of the rule there."""
    import yaml

    from spatial_pipeline.contract.yaml_positions import FAST_LOADER

    text = (files("spatial_pipeline.report") / DATA).read_text(encoding="utf-8")
    return {
        rule: {tool: tuple(map(str.strip, names.split(";"))) for tool, names in tools.items()}
        for rule, tools in yaml.load(text, FAST_LOADER).items()  # noqa: S506 - a safe loader
    }


def peers_text(rule: str) -> str:
    """The names of a rule in one line: ``ArcGIS: Must Not Overlap; QGIS: must not overlap``."""
    tools = peer_names().get(rule, {})
    return "; ".join(f"{tool}: {', '.join(names)}" for tool, names in tools.items())


__all__ = ["peer_names", "peers_text"]
