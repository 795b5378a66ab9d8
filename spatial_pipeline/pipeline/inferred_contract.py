"""An inferred contract as YAML: sections of rules, and what does not hold as comments."""

from __future__ import annotations

import math
import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any

import yaml

from spatial_pipeline.pipeline.rule_candidates import Parameters

EXACT = (
    "Exactly as today: counts, sums and checksums of this delivery. Relax or delete what may",
    "change from one delivery to the next (--no-exact leaves these out).",
)
FAILING = "These do not hold. Uncomment what shall hold."


@dataclass(frozen=True)
class InferredRule:
    """A rule of an inferred contract.

    Attributes:
        parameters: the rule as a contract has it.
        remark: comment beside it.

    """

    parameters: Parameters
    remark: str = ""

    def line(self) -> str:
        """The rule as one line of YAML."""
        text = f"- {flow(self.parameters)}"
        return f"{text}  # {' '.join(self.remark.split())}" if self.remark else text


@dataclass(frozen=True)
class Inferred:
    """A contract inferred from a source.

    Attributes:
        type_name: type of the contract.
        head: attributes before the rules.
        sections: headings with the rules that hold.
        exact: rules that hold for exactly this delivery.
        failing: rules that do not hold, with the reason.
        remarks: results of rules that are always on and fail.
        sound: False when the source itself cannot be read without loss.

    """

    type_name: str
    head: dict[str, Any]
    sections: tuple[tuple[str, tuple[InferredRule, ...]], ...]
    exact: tuple[InferredRule, ...] = ()
    failing: tuple[InferredRule, ...] = ()
    remarks: tuple[str, ...] = ()
    sound: bool = True

    @property
    def contract(self) -> dict[str, Any]:
        """The content of the contract file."""
        kept = [rule for _, rules in self.sections for rule in rules]
        rules = [rule.parameters for rule in (*kept, *self.exact)]
        return {"type": self.type_name, "attributes": {**self.head, "rules": rules}}

    def text(self) -> str:
        """The contract as YAML, one rule per line."""
        return "\n".join(self._lines()) + "\n"

    def _lines(self) -> Iterator[str]:
        yield f"type: {self.type_name}"
        yield "attributes:"
        for name, value in self.head.items():
            yield f"  {name}: {flow(value)}"
        for remark in self.remarks:
            yield f"  # not sound: {' '.join(remark.split())}"
        if any(rules for _, rules in self.sections) or self.exact:
            yield "  rules:"
        for heading, rules in self.sections:
            yield from _section([heading], rules)
        yield from _section(EXACT, self.exact)
        if self.failing:
            yield f"    # {FAILING}"
            yield from (f"    # {rule.line()}" for rule in self.failing)


class _Quoting(yaml.SafeDumper):
    """Quotes text that begins like a number: 08 is one for some readers of YAML, not for others."""


def _text(dumper: yaml.SafeDumper, value: str) -> yaml.ScalarNode:
    style = "'" if re.match(r"[-+.]?[0-9]", value) else None
    return dumper.represent_scalar("tag:yaml.org,2002:str", value, style=style)


_Quoting.add_representer(str, _text)


def flow(value: Any) -> str:
    """A value as one line of YAML."""
    text: str = yaml.dump(
        value, Dumper=_Quoting, default_flow_style=True, sort_keys=False, allow_unicode=True,
        width=math.inf,
    )  # fmt: skip
    return text.strip().removesuffix("...").strip()


def _section(heading: Sequence[str], rules: Sequence[InferredRule]) -> Iterator[str]:
    if rules:
        yield from (f"    # {line}" for line in heading)
        yield from (f"    {rule.line()}" for rule in rules)


__all__ = ["Inferred", "InferredRule", "flow"]
