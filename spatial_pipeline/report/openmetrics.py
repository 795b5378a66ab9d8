"""Metrics as OpenMetrics text, which Prometheus and others scrape.

The format: https://prometheus.io/docs/specs/om/open_metrics_spec/. Gauges only, so the same text is
valid in the older text format of Prometheus, too.
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field

OPENMETRICS = "application/openmetrics-text; version=1.0.0; charset=utf-8"
PLAIN = "text/plain; version=0.0.4; charset=utf-8"


@dataclass(frozen=True)
class Gauge:
    """A family of values with the same labels.

    Attributes:
        name: with the unit as its last word, if it has one.
        help: one sentence.
        unit: ``seconds``, ``bytes`` or empty.
        values: (labels, value) pairs.

    """

    name: str
    help: str
    unit: str = ""
    values: list[tuple[Mapping[str, str], float]] = field(default_factory=list)

    def add(self, value: float, **labels: str | None) -> None:
        """Adds a value; an empty label is left out, which means the same."""
        self.values.append(({k: v for k, v in labels.items() if v}, float(value)))


def openmetrics(families: Sequence[Gauge]) -> str:
    """All families as text; one without values is left out."""
    return "".join([*(_family(f) for f in families if f.values), "# EOF\n"])


def _family(family: Gauge) -> str:
    lines = [f"# TYPE {family.name} gauge"]
    if family.unit:
        lines.append(f"# UNIT {family.name} {family.unit}")
    lines.append(f"# HELP {family.name} {_escaped(family.help)}")
    lines += [f"{family.name}{_labels(labels.items())} {_number(v)}" for labels, v in family.values]
    return "".join(f"{line}\n" for line in lines)


def _labels(labels: Iterable[tuple[str, str]]) -> str:
    said = ",".join(f'{name}="{_escaped(value)}"' for name, value in labels)
    return f"{{{said}}}" if said else ""


def _escaped(text: str) -> str:
    whole = text.encode("utf-8", "replace").decode("utf-8")
    return whole.replace("\\", "\\\\").replace("\n", "\\n").replace('"', '\\"')


def _number(value: float) -> str:
    if math.isnan(value):
        return "NaN"
    if math.isinf(value):
        return "+Inf" if value > 0 else "-Inf"
    return f"{value:.0f}" if value == int(value) else repr(value)
